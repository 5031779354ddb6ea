import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Logger } from 'pino';
import { SourceHostError } from '../errors.ts';
import type { SourceHost } from '../source-host.ts';
import { type AuthorizedKeys, createAuthorizedKeys } from './authorized-keys.ts';
import { createCommandServer } from './command-server.ts';
import { createDeliverySender, type DeliverySender } from './delivery-sender.ts';
import { createDeployKeys, type DeployKeys } from './deploy-keys.ts';
import { createHooks, type Hooks } from './hooks.ts';
import { openHostKey } from './host-key.ts';
import { listRepositories } from './list-repositories.ts';
import { createLocalSourceHost } from './local-source-host.ts';
import { keyBlob } from './public-key.ts';
import type { GitContext } from './refs.ts';
import { repositoryFolder, requireRepositoryName } from './repository-name.ts';
import { createRepositoryStates, type RepositoryStates } from './repository-state.ts';
import { runGit } from './run-git.ts';
import { type SshServer, startSshServer } from './ssh-server.ts';
import { createTurns } from './turns.ts';

export interface LocalSourceHostOptions {
  /** Folder of the host key, the developers' `authorized_keys` and `repositories/`. One process owns it. */
  root: string;
  /** 0 takes a free one. */
  port: number;
  /** Default: 127.0.0.1, so that nobody else on the network reaches it. */
  bindAddress?: string;
  /** How builds reach this host, where that differs from what it listens on. */
  advertise?: { host: string; port?: number };
  logger: Logger;
  fetch?: typeof globalThis.fetch;
  /** How long a delivery waits after its n-th failed attempt, n from 1. Default: 1 s, doubled to at most 60 s. */
  retryDelayMs?: (attempt: number) => number;
  /** Where git is found, as in PATH. */
  searchPath?: string;
}

export interface LocalSourceHost {
  host: SourceHost;
  port: number;
  /** OpenSSH line to pin, such as `ssh-ed25519 AAAA…`. */
  hostKey: string;
  /** Lets a developer read and push every repository. Throws `key_in_use` for a deploy key. */
  authorizeUser(publicKeyLine: string): Promise<void>;
  /** Creates an empty bare repository with the default branch `main`; resolves to its folder. Idempotent. */
  createRepository(name: string): Promise<string>;
  /** Resolves when every delivery was taken by its receiver or given up. */
  idle(): Promise<void>;
  /** Ends connections and git processes. Deliveries that wait stay on disk for the next start. */
  close(): Promise<void>;
}

interface Parts {
  states: RepositoryStates;
  authorizedKeys: AuthorizedKeys;
  deployKeys: DeployKeys;
  hooks: Hooks;
  sender: DeliverySender;
  server: SshServer;
}

/** Starts the source host that is built into Ebb: bare repositories in a folder, served over SSH. */
export async function startLocalSourceHost(options: LocalSourceHostOptions): Promise<LocalSourceHost> {
  const repositories = join(options.root, 'repositories');
  await mkdir(repositories, { recursive: true, mode: 0o700 });
  const hostKey = await openHostKey(options.root);
  const stop = new AbortController();
  const git = {
    searchPath: options.searchPath ?? '/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin',
    signal: stop.signal,
  };
  const parts = await assemble({ options, repositories, hostKey, git });
  const { server, sender, authorizedKeys, deployKeys } = parts;
  return {
    host: createLocalSourceHost(
      { ...parts, git },
      {
        host: options.advertise?.host ?? options.bindAddress ?? '127.0.0.1',
        port: options.advertise?.port ?? server.port,
        hostKeys: [hostKey.publicKey],
      },
    ),
    port: server.port,
    hostKey: hostKey.publicKey,
    async authorizeUser(line) {
      if (await deployKeys.has(keyBlob(line) ?? '')) {
        throw new SourceHostError(
          'key_in_use',
          'This key is a deploy key, which can only read. Use another key.',
        );
      }
      await authorizedKeys.add(line);
    },
    createRepository: (name) => createRepository(name, repositories, git),
    idle: () => sender.idle(),
    async close() {
      await server.close();
      await sender.close();
      stop.abort();
    },
  };
}

async function assemble({
  options,
  repositories,
  hostKey,
  git,
}: {
  options: LocalSourceHostOptions;
  repositories: string;
  hostKey: { privateKey: string; publicKey: string };
  git: GitContext;
}): Promise<Parts> {
  const { logger } = options;
  const onError = (error: unknown) => logger.error({ err: error }, 'local source host failed');
  const states = createRepositoryStates(repositories);
  const authorizedKeys = createAuthorizedKeys(join(options.root, 'authorized_keys'));
  const sender = createDeliverySender({
    async findHook(repository, id) {
      const open = await states.read(repository);
      const hook = open?.state.hooks.find((stored) => stored.id === id);
      return open && hook && { open, hook };
    },
    fetch: options.fetch ?? globalThis.fetch,
    retryDelayMs: options.retryDelayMs ?? ((attempt) => Math.min(1000 * 2 ** (attempt - 1), 60_000)),
    onAttempt: (report) => logger.info(report, 'webhook delivery attempted'),
    onError,
  });
  const hooks = createHooks({ states, sender, git });
  let server: SshServer | undefined;
  const deployKeys = createDeployKeys({
    states,
    authorizedKeys,
    disconnect: async (key) => server?.disconnect(key),
  });
  for (const name of await listRepositories(repositories)) {
    // Tells what was pushed but not announced when the last process died, and sends what it left. A repository that
    // is damaged must not keep the others from being served.
    await deployKeys
      .load(name)
      .then(() => hooks.announce(name))
      .catch(onError);
  }
  server = await startSshServer({
    hostKey,
    bindAddress: options.bindAddress ?? '127.0.0.1',
    port: options.port,
    isKnown: async (key) => (await deployKeys.has(key)) || (await authorizedKeys.has(key)),
    serve: createCommandServer({
      states,
      authorizedKeys,
      searchPath: git.searchPath,
      pushTurns: createTurns(),
      afterPush: hooks.announce,
      onError,
    }),
    onError,
  }).catch(async (error) => {
    await sender.close();
    throw error;
  });
  return { states, authorizedKeys, deployKeys, hooks, sender, server };
}

async function createRepository(written: string, repositories: string, git: GitContext): Promise<string> {
  const folder = repositoryFolder(repositories, requireRepositoryName(written));
  await mkdir(dirname(folder), { recursive: true, mode: 0o700 });
  const { code, stderr } = await runGit(['init', '--quiet', '--bare', '--initial-branch=main', folder], git);
  if (code !== 0)
    throw new SourceHostError('refused', `git could not create the repository ${written}: ${stderr}`);
  return folder;
}
