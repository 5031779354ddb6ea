import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { HookEvent } from '../../../contract/hook-binding.ts';
import { SourceHostError } from '../errors.ts';
import type { HostedDeployKey } from '../source-host.ts';
import { isMissing, readFileIfThere, writeFileAtomically } from './atomic-file.ts';
import type { Refs } from './refs.ts';
import { parseRepositoryName, repositoryFolder, requireRepositoryName } from './repository-name.ts';
import { createTurns } from './turns.ts';

export interface StoredHook {
  id: string;
  url: string;
  events: HookEvent[];
  /** Base64. A source host must keep it: it signs with it. */
  secret: string;
}

/** What the host remembers about a repository, in `<repository>.git/ebb/state.json`. */
export interface RepositoryState {
  deployKeys: HostedDeployKey[];
  hooks: StoredHook[];
  /** The refs that every hook was told about, and how often there was something to tell. */
  announced: { generation: number; refs: Refs };
}

export interface OpenRepository {
  name: string;
  folder: string;
  state: RepositoryState;
}

export interface RepositoryStates {
  /** Undefined when there is no such repository. Names are taken as they were written. */
  read(written: string): Promise<OpenRepository | undefined>;
  /** Throws `repository_not_found`. */
  require(written: string): Promise<OpenRepository>;
  /**
   * Runs `change` while nobody else changes this repository's state; writes the state it returns, if it returns one.
   * Undefined when there is no such repository.
   */
  change<T>(written: string, change: (open: OpenRepository) => Promise<Change<T>>): Promise<T | undefined>;
}

export interface Change<T> {
  state?: RepositoryState;
  result: T;
}

export function createRepositoryStates(repositories: string): RepositoryStates {
  const inTurn = createTurns();
  const read = async (written: string): Promise<OpenRepository | undefined> => {
    const name = parseRepositoryName(written);
    if (name === undefined) return undefined;
    const folder = repositoryFolder(repositories, name);
    if (!(await isRepository(folder))) return undefined;
    const state = parseState(stateFile(folder), await readFileIfThere(stateFile(folder)));
    return { name, folder, state };
  };
  return {
    read,
    async require(written) {
      const name = requireRepositoryName(written);
      return (await read(name)) ?? throwNotFound(name, repositories);
    },
    change: (written, change) =>
      inTurn(parseRepositoryName(written) ?? '', async () => {
        const open = await read(written);
        if (open === undefined) return undefined;
        const { state, result } = await change(open);
        if (state !== undefined) {
          await mkdir(join(open.folder, 'ebb'), { recursive: true, mode: 0o700 });
          await writeFileAtomically(stateFile(open.folder), `${JSON.stringify(state, null, 2)}\n`);
        }
        return result;
      }),
  };
}

function parseState(file: string, stored: string | undefined): RepositoryState {
  if (stored === undefined) return { deployKeys: [], hooks: [], announced: { generation: 0, refs: {} } };
  try {
    return JSON.parse(stored);
  } catch (cause) {
    throw new Error(
      `${file} is damaged: it is no JSON. Restore it, or remove it to drop the keys and hooks.`,
      { cause },
    );
  }
}

function throwNotFound(name: string, repositories: string): never {
  const folder = repositoryFolder(repositories, name);
  throw new SourceHostError(
    'repository_not_found',
    `There is no repository ${name} at the local source host. Create it with: git init --bare --initial-branch=main ${folder}`,
  );
}

async function isRepository(folder: string): Promise<boolean> {
  try {
    return (await stat(join(folder, 'HEAD'))).isFile();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

function stateFile(folder: string): string {
  return join(folder, 'ebb', 'state.json');
}
