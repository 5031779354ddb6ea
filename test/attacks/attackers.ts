import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';

/** Connections of somebody who means no good, and what became of them. */
export interface Attack {
  /** Resolves when the server has ended all of them, with how long the last one lasted, ms. */
  ended: Promise<number>;
  /** The first line of each answer. */
  answers(): string[];
  /** How many the server still holds, as the kernel says: who does not read is not told that it gave him up. */
  held(): number;
  stop(): void;
}

interface Target {
  url: string;
  connections: number;
}

/** Says nothing at all. */
export function openIdle(target: Target): Promise<Attack> {
  return attack(target, read);
}

/** Who does not read does not notice the end either. */
function read(socket: Socket, answers: string[]): void {
  socket.once('data', (data) => answers.push(String(data).split('\r\n')[0] ?? ''));
}

/** Sends a request one byte at a time: some at once, then what is in `slowly`. */
export function trickle(
  target: Target & { atOnce?: string; slowly: string; everyMs: number },
): Promise<Attack> {
  return attack(target, (socket, answers) => {
    read(socket, answers);
    socket.write(target.atOnce ?? '');
    let sent = 0;
    const timer = setInterval(() => {
      if (sent < target.slowly.length) socket.write(target.slowly.charAt(sent++));
    }, target.everyMs);
    socket.once('close', () => clearInterval(timer));
  });
}

/** Asks for something long and never reads it. */
export function askAndNotRead(
  target: Target & { path: string; token: string; lastEventId?: number },
): Promise<Attack> {
  return attack(target, (socket) => {
    socket.write(`GET ${target.path} HTTP/1.1\r\nHost: ebb\r\nAuthorization: Bearer ${target.token}\r\n\r\n`);
  });
}

async function attack(
  { url, connections }: Target,
  behave: (socket: Socket, answers: string[]) => void,
): Promise<Attack> {
  const { hostname, port } = new URL(url);
  const began = performance.now();
  const answers: string[] = [];
  const sockets = Array.from({ length: connections }, () => {
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: false });
    socket.on('error', () => {}); // To be cut off is what he may expect.
    return socket;
  });
  let last = 0;
  const closed = sockets.map(
    (socket) =>
      new Promise<void>((resolve) =>
        socket.once('close', () => {
          last = performance.now() - began;
          resolve();
        }),
      ),
  );
  const ended = Promise.all(closed).then(() => last);
  await Promise.all(sockets.map((socket) => (socket.connecting ? once(socket, 'connect') : undefined)));
  for (const socket of sockets) behave(socket, answers);
  return {
    ended,
    answers: () => answers,
    held: () => heldByServer(Number(port), sockets),
    stop() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

const established = '01';

/** @see https://docs.kernel.org/networking/proc_net_tcp.html */
function heldByServer(port: number, sockets: readonly Socket[]): number {
  const ours = new Set(sockets.map(({ localPort }) => localPort));
  const portOf = (address = '') => Number.parseInt(address.split(':')[1] ?? '', 16);
  const lines = readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1);
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, remote, state]) => {
      return state === established && portOf(local) === port && ours.has(portOf(remote));
    }).length;
}
