import type { NewBuild } from '../builds/insert-build.ts';
import type { Binding } from '../hook-bindings/hook-binding-store.ts';
import type { PullRequestEvent, PushEvent, WebhookEvent } from '../source-hosts/webhook-event.ts';
import { matches } from './patterns.ts';

/** The build that an event starts, or why it starts none; `closed` is the number of a pull request that is over. */
export type Verdict =
  | { build: Omit<NewBuild, 'projectId' | 'teamId'> }
  | { ignored: string; closed?: number };

/** Judges an event by what the hook is bound to, and by nothing else. */
export function judgeEvent(binding: Binding, event: WebhookEvent): Verdict {
  if (event.event === 'push') return judgePush(binding, event);
  if (event.event === 'pull_request') return judgePullRequest(binding, event);
  return {
    ignored: event.event === 'ping' ? 'The source host tried the hook.' : 'This event starts no build.',
  };
}

function judgePush({ branches, tags, events }: Binding, event: PushEvent): Verdict {
  const { ref, commit, message } = event;
  const isTag = ref.startsWith('refs/tags/');
  const name = shortName(ref);
  if (!events.includes('push')) return { ignored: 'The hook binding is not bound to pushes.' };
  if (event.deleted) return { ignored: `The ${isTag ? 'tag' : 'branch'} was deleted.` };
  if (!matches(name, isTag ? tags : branches)) {
    return { ignored: `The hook binding names no pattern for the ${isTag ? 'tag' : 'branch'} ${name}.` };
  }
  if (event.skip) return { ignored: 'The commit message asks to skip the build.' };
  return { build: { trigger: isTag ? 'tag' : 'push', ref, branch: name, commit, message } };
}

function judgePullRequest({ branches, events }: Binding, event: PullRequestEvent): Verdict {
  const { number, ref, commit, headBranch, baseBranch, fromFork, title, at } = event;
  if (!events.includes('pull_request')) return { ignored: 'The hook binding is not bound to pull requests.' };
  if (event.action === 'closed') return { ignored: `Pull request ${number} was closed.`, closed: number };
  if (event.action === 'other') return { ignored: 'This change of a pull request starts no build.' };
  if (!matches(baseBranch, branches)) {
    return { ignored: `The hook binding names no pattern for the branch ${baseBranch}.` };
  }
  if (!fromFork && events.includes('push') && matches(headBranch, branches)) {
    return { ignored: `The push to ${headBranch} starts the build of this commit.` };
  }
  const pullRequest = { number, fromFork, ...(at ? { at } : {}) };
  const build = { trigger: 'pull_request' as const, ref, branch: headBranch, commit, message: title };
  return { build: { ...build, pullRequest } };
}

/** `main` of `refs/heads/main`, `v1` of `refs/tags/v1`. */
export function shortName(ref: string): string {
  return ref.replace(/^refs\/(heads|tags)\//, '');
}
