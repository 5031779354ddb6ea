import { connect as connectSocket, type Socket } from 'node:net';
import ssh2 from 'ssh2';
import { type ExecOptions, type ExecResult, exec } from './exec.ts';
import { SshError } from './ssh-error.ts';

// A frozen VM is noticed after about 20 s; a loaded machine answers within that.
const defaultKeepaliveIntervalMs = 5_000;
const keepaliveCountMax = 3;
const closeGraceMs = 1_000;

export interface ConnectOptions {
  host: string;
  port: number;
  username: string;
  /** In OpenSSH's private key format, without passphrase. */
  privateKey: Buffer | string;
  /** The server's ed25519 host key as a raw blob. There is no way to connect without knowing it. */
  hostKey: Buffer;
  /**
   * Forwarded to every command of this connection, so give it only to a connection that runs what may use it. It
   * takes no part in the login.
   */
  agent?: ssh2.BaseAgent;
  signal?: AbortSignal;
  /** For TCP, key exchange and login together. */
  timeoutMs: number;
  /** How often a silent server is asked whether it lives; it is given up after three unanswered questions. */
  keepaliveIntervalMs?: number;
}

export interface SshSession {
  exec(command: string, options?: ExecOptions): Promise<ExecResult>;
  /** Aborts when the connection is gone, for whatever cause; its reason is the SshError. */
  readonly closed: AbortSignal;
  /** Ends running commands with `connection_lost`. Resolves when the socket is closed; may be called again. */
  close(): Promise<void>;
}

/**
 * Opens an SSH connection to a server whose host key is known. Throws an SshError; see its codes. The caller owns the
 * session and closes it.
 */
export async function connect(options: ConnectOptions): Promise<SshSession> {
  if (options.signal?.aborted) throw aborted(options.signal);
  const socket = connectSocket({ host: options.host, port: options.port, noDelay: true });
  const client = new ssh2.Client();
  const closed = trackClose(client, options);
  try {
    await logIn(client, socket, options, closed);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  const lost = new Promise<never>((_, reject) => {
    closed.addEventListener('abort', () => reject(closed.reason), { once: true });
  });
  lost.catch(() => {});
  return {
    exec: (command, execOptions = {}) => exec(client, command, execOptions, lost),
    closed,
    close: () => close(client, socket),
  };
}

/** Aborts on the first of `error` and `close`: a server may hang up with either alone. */
function trackClose(client: ssh2.Client, { host, port }: ConnectOptions): AbortSignal {
  const closed = new AbortController();
  const where = `${host}:${port}`;
  client.on('error', (cause) => closed.abort(translate(cause, where)));
  client.on('close', () =>
    closed.abort(new SshError('connection_lost', `The SSH connection to ${where} was closed.`)),
  );
  return closed.signal;
}

function logIn(
  client: ssh2.Client,
  socket: Socket,
  options: ConnectOptions,
  closed: AbortSignal,
): Promise<void> {
  const { host, port, hostKey, agent, signal, timeoutMs } = options;
  const done = new AbortController();
  return new Promise<void>((resolve, reject) => {
    let mismatch = false;
    const timer = setTimeout(() => {
      reject(new SshError('timeout', `No SSH login at ${host}:${port} within ${timeoutMs} ms.`));
    }, timeoutMs);
    done.signal.addEventListener('abort', () => clearTimeout(timer));
    const once = { once: true, signal: done.signal };
    signal?.addEventListener('abort', () => reject(aborted(signal)), once);
    closed.addEventListener('abort', () => reject(mismatch ? hostKeyMismatch(options) : closed.reason), once);
    client.once('ready', resolve);
    client.connect({
      sock: socket,
      username: options.username,
      privateKey: options.privateKey,
      authHandler: ['publickey'],
      algorithms: { serverHostKey: ['ssh-ed25519'] },
      hostVerifier: (shown: Buffer) => {
        mismatch = !shown.equals(hostKey);
        return !mismatch;
      },
      keepaliveInterval: options.keepaliveIntervalMs ?? defaultKeepaliveIntervalMs,
      keepaliveCountMax,
      readyTimeout: 0,
      ...(agent && { agent, agentForward: true }),
    });
  }).finally(() => done.abort());
}

function translate(cause: Error & { level?: string }, where: string): SshError {
  if (cause.level === 'client-authentication') {
    return new SshError('auth_failed', `The SSH server at ${where} does not accept the key.`, { cause });
  }
  if (/no matching (server )?host key/i.test(cause.message)) {
    return new SshError('host_key_mismatch', `The SSH server at ${where} has no ed25519 host key.`, {
      cause,
    });
  }
  return new SshError('connection_lost', `The SSH connection to ${where} failed: ${cause.message}`, {
    cause,
  });
}

function hostKeyMismatch({ host, port }: ConnectOptions): SshError {
  return new SshError(
    'host_key_mismatch',
    `The SSH server at ${host}:${port} showed another host key than the pinned one: it is another machine, or somebody is in between.`,
  );
}

function aborted(signal: AbortSignal): SshError {
  return new SshError('aborted', 'The SSH connection was aborted by its caller.', { cause: signal.reason });
}

function close(client: ssh2.Client, socket: Socket): Promise<void> {
  if (socket.closed) return Promise.resolve();
  return new Promise((resolve) => {
    // A frozen peer never answers the end; its socket is cut.
    const cut = setTimeout(() => socket.destroy(), closeGraceMs);
    socket.once('close', () => {
      clearTimeout(cut);
      resolve();
    });
    client.end();
  });
}
