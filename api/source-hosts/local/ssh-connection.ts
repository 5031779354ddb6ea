import type { Socket } from 'node:net';
import ssh2 from 'ssh2';
import type { HostKey } from './host-key.ts';
import { parseBlob } from './public-key.ts';

const maxSessions = 8;
const maxFailedLogins = 10;
const loginTimeoutMs = 30_000;
const idleTimeoutMs = 120_000;

export interface ConnectionOptions {
  hostKey: HostKey;
  /** May this key (raw blob in base64) log in at all? */
  isKnown(key: string): Promise<boolean>;
  /** Serves one command; whether the key may do that is decided there, anew for each command. Must not throw. */
  serve(request: CommandRequest): Promise<void>;
  onError(error: unknown): void;
}

export interface CommandRequest {
  channel: ssh2.ServerChannel;
  /** The key that logged in, raw blob in base64. */
  key: string;
  /** Undefined when the client asked for a shell. */
  command: string | undefined;
  /** Value of GIT_PROTOCOL that the client sent, when it is one that git knows. */
  gitProtocol: string | undefined;
  /** Aborts when the connection is gone. */
  signal: AbortSignal;
}

export interface ServedConnection {
  /** The key that logged in; undefined before. */
  readonly key: string | undefined;
  /** Cuts the connection and resolves when its commands have ended. */
  cut(): Promise<void>;
}

interface Attended {
  options: ConnectionOptions;
  client: ssh2.Connection;
  key: string | undefined;
  sessions: Set<Promise<void>>;
  gone: AbortSignal;
  /** Ends the connection when nothing runs on it for two minutes; called when a command begins or ends. */
  watchIdle(): void;
}

/** Speaks SSH on an accepted socket: the user `git`, by public key only, commands only, no forwarding. */
export function serveConnection(socket: Socket, options: ConnectionOptions): ServedConnection {
  const gone = new AbortController();
  const sessions = new Set<Promise<void>>();
  let attended: Attended | undefined;
  // Covers a client that never says a word, too: ssh2 shows us a client only after its first line.
  let timer = setTimeout(() => socket.destroy(), loginTimeoutMs);
  socket.on('error', () => {});
  socket.once('close', () => {
    clearTimeout(timer);
    gone.abort();
  });
  const watchIdle = () => {
    clearTimeout(timer);
    if (sessions.size === 0 && !socket.destroyed) timer = setTimeout(() => socket.destroy(), idleTimeoutMs);
  };
  const server = new ssh2.Server(serverConfig(options.hostKey), (client) => {
    attended = { options, client, key: undefined, sessions, gone: gone.signal, watchIdle };
    attend(attended);
  });
  server.injectSocket(socket);
  return {
    get key() {
      return attended?.key;
    },
    async cut() {
      socket.destroy();
      await Promise.all(sessions);
    },
  };
}

function serverConfig(hostKey: HostKey): ssh2.ServerConfig {
  return {
    hostKeys: [hostKey.privateKey],
    ident: 'Ebb',
    algorithms: {
      cipher: ['aes256-gcm@openssh.com', 'aes128-gcm@openssh.com', 'aes256-ctr', 'aes128-ctr'],
      hmac: [
        'hmac-sha2-256-etm@openssh.com',
        'hmac-sha2-512-etm@openssh.com',
        'hmac-sha2-256',
        'hmac-sha2-512',
      ],
    },
  };
}

function attend(attended: Attended): void {
  const { client, options } = attended;
  let failures = 0;
  // Broken handshakes and resets are the client's affair; the socket closes after them.
  client.on('error', () => {});
  client.on('authentication', (context) => {
    authenticate(context, options).then(
      (key) => {
        if (key !== undefined) {
          attended.key = key;
          context.accept();
          return;
        }
        if (context.method !== 'none') failures += 1;
        if (failures >= maxFailedLogins) client.end();
        else context.reject(['publickey']);
      },
      (error) => {
        options.onError(error);
        client.end();
      },
    );
  });
  client.on('ready', attended.watchIdle);
  client.on('session', (accept, reject) => {
    if (attended.sessions.size >= maxSessions) reject();
    else attendSession(accept(), attended);
  });
}

/**
 * The key that may log in. A client first asks whether a key would do (no signature), then signs; `accept()` answers
 * either.
 */
async function authenticate(
  context: ssh2.AuthContext,
  options: ConnectionOptions,
): Promise<string | undefined> {
  if (context.method !== 'publickey' || context.username !== 'git') return undefined;
  const key = context.key.data.toString('base64');
  if (!(await options.isKnown(key))) return undefined;
  const { signature, blob, hashAlgo } = context;
  if (signature === undefined) return key;
  const verified =
    blob !== undefined && parseBlob(context.key.data)?.verify(blob, signature, hashAlgo) === true;
  return verified ? key : undefined;
}

function attendSession(session: ssh2.Session, attended: Attended): void {
  let gitProtocol: string | undefined;
  const run = (channel: ssh2.ServerChannel, command: string | undefined) => {
    const { key = '', gone, options, sessions, watchIdle } = attended;
    channel.on('error', () => {});
    const served = options.serve({ channel, key, command, gitProtocol, signal: gone }).finally(() => {
      sessions.delete(served);
      watchIdle();
    });
    sessions.add(served);
    watchIdle();
  };
  session.on('env', (accept, reject, { key, val }) => {
    const known = key === 'GIT_PROTOCOL' && /^version=[0-2]$/.test(val);
    if (known) gitProtocol = val;
    // Clients that want no answer give no functions for one.
    if (known) accept?.();
    else reject?.();
  });
  session.on('exec', (accept, _reject, { command }) => run(accept(), command));
  session.on('shell', (accept) => run(accept(), undefined));
}
