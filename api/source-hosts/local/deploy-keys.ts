import { randomUUID } from 'node:crypto';
import { SourceHostError } from '../errors.ts';
import type { HostedDeployKey, NewDeployKey, Removal } from '../source-host.ts';
import type { AuthorizedKeys } from './authorized-keys.ts';
import { keyBlob } from './public-key.ts';
import type { RepositoryState, RepositoryStates } from './repository-state.ts';
import { createTurns } from './turns.ts';

export interface DeployKeys {
  /** Makes the keys of a repository known to the login; called at the start for each. */
  load(repository: string): Promise<void>;
  /** Is this key (raw blob in base64) a deploy key of some repository? */
  has(key: string): Promise<boolean>;
  add(repository: string, key: NewDeployKey): Promise<{ id: string }>;
  find(repository: string, id: string): Promise<HostedDeployKey | undefined>;
  lookUp(repository: string, publicKey: string): Promise<HostedDeployKey | undefined>;
  remove(repository: string, id: string): Promise<Removal>;
}

export interface DeployKeysOptions {
  states: RepositoryStates;
  authorizedKeys: AuthorizedKeys;
  /** Cuts the connections that logged in with this key. */
  disconnect(key: string): Promise<void>;
}

/** Deploy keys, each of one repository. The files are the truth; the index only says where to look. */
export function createDeployKeys({ states, authorizedKeys, disconnect }: DeployKeysOptions): DeployKeys {
  const repositoryOf = new Map<string, string>();
  const inTurn = createTurns();

  const holder = async (key: string): Promise<string | undefined> => {
    const open = await states.read(repositoryOf.get(key) ?? '');
    return open && findByBlob(open.state, key) ? open.name : undefined;
  };
  const insert = async (written: string, { title, publicKey }: NewDeployKey) => {
    const key = keyBlob(publicKey);
    if (key === undefined)
      throw new SourceHostError(
        'refused',
        'publicKey must be one line in OpenSSH format, such as "ssh-ed25519 AAAA…".',
      );
    const { name } = await states.require(written);
    await assertUnused(key, name, await holder(key), authorizedKeys);
    repositoryOf.set(key, name);
    const id = await states.change(name, async ({ state }) => {
      const known = findByBlob(state, key);
      if (known) return { result: known.id };
      const added = { id: `key_${randomUUID()}`, title, publicKey: publicKey.trim() };
      return { state: { ...state, deployKeys: [...state.deployKeys, added] }, result: added.id };
    });
    if (id === undefined) await states.require(written); // Removed in between: says so.
    return { id: id ?? '' };
  };

  return {
    async load(repository) {
      for (const { publicKey } of (await states.read(repository))?.state.deployKeys ?? []) {
        repositoryOf.set(keyBlob(publicKey) ?? '', repository);
      }
    },
    has: async (key) => (await holder(key)) !== undefined,
    // One at a time, so that a key cannot be added to two repositories at once.
    add: (repository, key) => inTurn('add', () => insert(repository, key)),
    async find(repository, id) {
      return (await states.read(repository))?.state.deployKeys.find((key) => key.id === id);
    },
    async lookUp(written, publicKey) {
      const { name } = await states.require(written);
      const open = await states.read(name);
      return open && findByBlob(open.state, keyBlob(publicKey) ?? '');
    },
    async remove(repository, id) {
      const removed = await states.change(repository, async ({ state }) => {
        const found = state.deployKeys.find((key) => key.id === id);
        if (found === undefined) return { result: undefined };
        return {
          state: { ...state, deployKeys: state.deployKeys.filter((key) => key !== found) },
          result: found,
        };
      });
      if (removed === undefined) return 'absent';
      const key = keyBlob(removed.publicKey) ?? '';
      repositoryOf.delete(key);
      await disconnect(key);
      return 'removed';
    },
  };
}

function findByBlob(state: RepositoryState, key: string): HostedDeployKey | undefined {
  return state.deployKeys.find(({ publicKey }) => keyBlob(publicKey) === key);
}

async function assertUnused(
  key: string,
  repository: string,
  holder: string | undefined,
  authorizedKeys: AuthorizedKeys,
): Promise<void> {
  if (holder !== undefined && holder !== repository) {
    throw new SourceHostError(
      'key_in_use',
      `This key is the deploy key of ${holder} already. Make a new key for ${repository}.`,
    );
  }
  if (await authorizedKeys.has(key)) {
    throw new SourceHostError(
      'key_in_use',
      `This key belongs to a developer, who may push. Make a new key for ${repository}.`,
    );
  }
}
