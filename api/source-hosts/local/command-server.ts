import type ssh2 from 'ssh2';
import type { AuthorizedKeys } from './authorized-keys.ts';
import { parseGitCommand } from './git-command.ts';
import { serveGit } from './git-process.ts';
import { keyBlob } from './public-key.ts';
import type { OpenRepository, RepositoryStates } from './repository-state.ts';
import type { CommandRequest } from './ssh-connection.ts';
import type { Turns } from './turns.ts';

export interface CommandServerOptions {
  states: RepositoryStates;
  authorizedKeys: AuthorizedKeys;
  searchPath: string;
  /** Pushes to one repository take turns, so that each is announced as what it was. */
  pushTurns: Turns;
  /** Called after a push, before the client is told that it is done. */
  afterPush(repository: string): Promise<void>;
  onError(error: unknown): void;
}

interface Answer {
  code: number;
  message: string | Buffer;
}

/** Serves what a git client asks for over SSH, after a look at what its key may do now. */
export function createCommandServer(
  options: CommandServerOptions,
): (request: CommandRequest) => Promise<void> {
  return async (request) => {
    const { channel } = request;
    try {
      finish(channel, await answer(request, options));
    } catch (error) {
      options.onError(error);
      finish(channel, { code: 128, message: 'The source host failed; its log says why.' });
    }
  };
}

async function answer(request: CommandRequest, options: CommandServerOptions): Promise<Answer> {
  const { key, channel, gitProtocol, signal } = request;
  const command = parseGitCommand(request.command ?? '');
  if (command === undefined) {
    return refuse(
      'This host serves git fetch and git push, and no other command. Check the URL of the repository.',
    );
  }
  const serve = async (repository: OpenRepository) => {
    const { service } = command;
    const { code, stderr } = await serveGit({
      service,
      folder: repository.folder,
      channel,
      searchPath: options.searchPath,
      gitProtocol,
      signal,
    });
    return { code, message: stderr };
  };
  if (command.service === 'upload-pack') {
    const access = await findAccess(key, command.repository, options);
    return access.repository === undefined ? refuse(access.refusal) : serve(access.repository);
  }
  return options.pushTurns(command.repository, async () => {
    // Looked up in its turn: the key may have been removed while the push waited.
    const access = await findAccess(key, command.repository, options);
    if (access.repository === undefined) return refuse(access.refusal);
    if (!access.mayPush)
      return refuse(
        `This is a deploy key: it can only read. Push ${command.repository} with a key of a developer.`,
      );
    try {
      return await serve(access.repository);
    } finally {
      await options.afterPush(command.repository).catch(options.onError);
    }
  });
}

type Access = { repository: OpenRepository; mayPush: boolean } | { repository?: undefined; refusal: string };

/** A deploy key is not told which other repositories there are. */
async function findAccess(key: string, name: string, options: CommandServerOptions): Promise<Access> {
  const repository = await options.states.read(name);
  if (await options.authorizedKeys.has(key)) {
    return repository
      ? { repository, mayPush: true }
      : { refusal: `There is no repository ${name} at this host.` };
  }
  const mayRead = repository?.state.deployKeys.some(({ publicKey }) => keyBlob(publicKey) === key);
  if (repository && mayRead) return { repository, mayPush: false };
  return { refusal: `There is no repository ${name} at this host, or this key may not read it.` };
}

function refuse(message: string): Answer {
  return { code: 128, message };
}

function finish(channel: ssh2.ServerChannel, { code, message }: Answer): void {
  channel.resume();
  const text = typeof message === 'string' ? `ebb: ${message}\n` : message;
  if (text.length > 0) channel.stderr.write(text);
  channel.exit(code);
  channel.end();
}
