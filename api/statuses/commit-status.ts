import type { BuildRow } from '../builds/state-machine.ts';
import type { CommitStatus } from '../source-hosts/source-host.ts';

type Shown = Pick<
  BuildRow,
  'id' | 'number' | 'state' | 'reason' | 'commit' | 'trigger' | 'started_at' | 'finished_at'
>;

/** How a source host shows the state of a build beside its commit. Nothing in it is from a log. */
export function commitStatus(build: Shown, projectName: string, publicUrl: string): CommitStatus {
  const [state, words] = describe(build);
  return {
    commit: build.commit,
    state,
    // A tag's build says nothing of whether its commit may be merged.
    context: build.trigger === 'tag' ? `ebb/${projectName}/tag` : `ebb/${projectName}`,
    description: short(words),
    url: `${publicUrl}/builds/${build.id}`,
  };
}

function describe({
  number,
  state,
  reason,
  started_at,
  finished_at,
}: Shown): [CommitStatus['state'], string] {
  const because = reason === null ? '' : `: ${reason}`;
  switch (state) {
    case 'awaiting_approval':
      return ['pending', `Build ${number} comes from a fork and waits for a maintainer: ebb approve`];
    case 'queued':
      return ['pending', `Build ${number} is queued${because}`];
    case 'starting':
      return [
        'pending',
        reason === null ? `Build ${number}: its VM starts` : `Build ${number} waits: ${reason}`,
      ];
    case 'running':
      return ['pending', `Build ${number} runs`];
    case 'passed':
      return ['success', `Build ${number} passed${took(started_at, finished_at)}`];
    case 'failed':
      return ['failure', `Build ${number} failed${because}`];
    case 'timed_out':
      return ['failure', `Build ${number} took too long${because}`];
    case 'cancelled':
      return ['error', `Build ${number} was cancelled${because}`];
    case 'errored':
      return ['error', `Build ${number} could not be done${because}`];
  }
}

function took(from: Date | null, until: Date | null): string {
  return from && until ? ` in ${Math.round((until.getTime() - from.getTime()) / 1000)} s` : '';
}

const longest = 140;

function short(words: string): string {
  return words.length <= longest ? words : `${words.slice(0, longest - 1).trimEnd()}…`;
}
