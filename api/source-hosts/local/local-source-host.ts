import { shareReads } from '../../share-reads.ts';
import type { SourceHost } from '../source-host.ts';
import type { DeployKeys } from './deploy-keys.ts';
import type { Hooks } from './hooks.ts';
import { commitOf, defaultBranch, type GitContext, listRefs, summarize } from './refs.ts';
import { requireRepositoryName } from './repository-name.ts';
import type { RepositoryStates } from './repository-state.ts';

const gitMs = 30_000;

export interface LocalSourceHostParts {
  states: RepositoryStates;
  deployKeys: DeployKeys;
  hooks: Hooks;
  git: GitContext;
}

/** The source host `local` behind the interface that all have. `address` is what builds clone from. */
export function createLocalSourceHost(
  { git, states, deployKeys, hooks }: LocalSourceHostParts,
  address: { host: string; port: number; hostKeys: string[] },
): SourceHost {
  return {
    kind: 'local',
    connect: async () => ({ hostKeys: address.hostKeys }),
    async inspect(repository, signal) {
      const { folder } = await states.require(repository);
      return { defaultBranch: await defaultBranch(folder, until(git, signal)) };
    },
    async resolveRef(repository, ref, signal) {
      const { folder } = await states.require(repository);
      const commit = await untilAborted(signal, () => commitAtRef(git, { folder, ref }));
      return commit === undefined ? undefined : { commit };
    },
    clone: (repository) => ({ user: 'git', ...address, path: `/${requireRepositoryName(repository)}.git` }),
    addDeployKey: (repository, key, signal) => unlessAborted(signal, () => deployKeys.add(repository, key)),
    findDeployKey: (repository, id, signal) => unlessAborted(signal, () => deployKeys.find(repository, id)),
    lookUpDeployKey: (repository, publicKey, signal) =>
      unlessAborted(signal, () => deployKeys.lookUp(repository, publicKey)),
    removeDeployKey: (repository, id, signal) =>
      unlessAborted(signal, () => deployKeys.remove(repository, id)),
    addHook: (repository, hook, signal) => unlessAborted(signal, () => hooks.add(repository, hook)),
    findHook: (repository, id, signal) => unlessAborted(signal, () => hooks.find(repository, id)),
    lookUpHook: (repository, url, signal) => unlessAborted(signal, () => hooks.lookUp(repository, url)),
    removeHook: (repository, id, signal) => unlessAborted(signal, () => hooks.remove(repository, id)),
    async listBranches(repository, signal) {
      const { folder } = await states.require(repository);
      const refs = Object.entries(await listRefs(folder, until(git, signal)));
      return refs
        .filter(([ref]) => ref.startsWith('refs/heads/'))
        .map(([ref, commit]) => ({ name: ref.slice('refs/heads/'.length), commit }));
    },
    async describeCommit(repository, commit, signal) {
      const { folder } = await states.require(repository);
      const found = await summarize(folder, commit, until(git, signal));
      return found && { message: found.message, author: found.author.name };
    },
  };
}

function until(git: GitContext, signal: AbortSignal): GitContext {
  return { ...git, signal: AbortSignal.any([git.signal, signal]) };
}

// A team that starts many builds at once asks for the same head each time, and git is a process each time.
const commitAtRef = shareReads(
  (git: GitContext, { folder, ref }: { folder: string; ref: string }) =>
    commitOf(folder, ref, until(git, AbortSignal.timeout(gitMs))),
  ({ folder, ref }) => `${folder}\0${ref}`,
);

/** Waits no longer than `signal` lets it; what is shared goes on for the others. */
async function untilAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** These are short and local: once begun, they are not interrupted halfway. */
async function unlessAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  return work();
}
