import { createRequire } from 'node:module';
import type { PushEvent } from '../webhook-event.ts';

type Json = Record<string, unknown>;

const require = createRequire(import.meta.url);
const examples: { name: string; examples: Json[] }[] = require('@octokit/webhooks-examples');
const { components } = require('@octokit/openapi/generated/api.github.com.json');

/** The published example of an event, whole; `fits` chooses among several. */
export function webhookExample(name: string, fits: (example: Json) => boolean = () => true): Json {
  const found = examples.find((entry) => entry.name === name)?.examples.find(fits);
  if (!found) throw new Error(`no example of ${name}`);
  return structuredClone(found);
}

/** GitHub's published example of a repository, under another name. */
export function repositoryPayload(
  { id, name, archived }: { id: number; name: string; archived: boolean },
  url: string,
): Json {
  const base = structuredClone(components.examples['full-repository'].value);
  const [owner = '', short = ''] = name.split('/');
  return {
    ...base,
    // Its schema asks for it and the example lacks it.
    has_discussions: false,
    ...{ id, name: short, full_name: name, archived, default_branch: 'main', private: true },
    owner: { ...base.owner, login: owner },
    ...{ ssh_url: `git@${new URL(url || 'http://localhost').hostname}:${name}.git` },
  };
}

/** What GitHub sends for a push, from the published example of one; it happened now unless the push says when. */
export function pushPayload(repository: Json, push: PushEvent): Json {
  const example = webhookExample('push', ({ head_commit }) => head_commit !== null);
  const head = example.head_commit as Json;
  return {
    ...example,
    ...{ ref: push.ref, before: push.before, after: push.deleted ? '0'.repeat(40) : push.commit },
    ...{ created: /^0+$/.test(push.before), deleted: push.deleted, forced: false },
    head_commit: push.deleted
      ? null
      : {
          ...head,
          ...{ id: push.commit, message: push.skip ? `${push.message} [skip ci]` : push.message },
          author: { ...(head.author as Json), name: push.author },
        },
    repository: {
      ...(example.repository as Json),
      ...identity(repository),
      pushed_at: Math.floor((push.at === undefined ? Date.now() : Date.parse(push.at)) / 1000),
    },
  };
}

/** What GitHub sends for a pull request, from the published example of one. */
export function pullRequestPayload(
  repository: Json,
  request: { number: number; commit: string; branch: string; fork?: boolean; action?: string; at?: string },
): Json {
  const { number, commit, branch, fork = false, action = 'opened' } = request;
  const updated_at = request.at ?? new Date().toISOString();
  const example = webhookExample('pull_request', (one) => one.action === 'opened');
  const pull = example.pull_request as Json & { head: Json; base: Json };
  const here = { ...(pull.base.repo as Json), ...identity(repository) };
  const there = fork ? { ...here, id: Number(repository.id) + 1_000_000, full_name: 'mallory/fork' } : here;
  return {
    ...example,
    action,
    number,
    pull_request: {
      ...pull,
      // GitHub has it since the examples were written.
      auto_merge: null,
      ...{ number, updated_at },
      head: { ...pull.head, ref: branch, sha: commit, repo: there },
      base: { ...pull.base, ref: 'main', repo: here },
    },
    repository: { ...(example.repository as Json), ...identity(repository) },
  };
}

/** Whose repository it is, and what GitHub has added to repositories since the examples were written. */
function identity({ id, name, full_name, owner }: Json): Json {
  const added = { has_discussions: false, topics: [], visibility: 'private', is_template: false };
  return { id, name, full_name, owner, default_branch: 'main', ...added, web_commit_signoff_required: false };
}
