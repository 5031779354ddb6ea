import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** QEMU's monitor. */
export interface Monitor {
  /** Runs a command and gives what it returns. Throws with what QEMU said, or when it says nothing for 10 s. */
  execute(command: string, given?: Record<string, unknown>): Promise<unknown>;
}

interface Answer {
  return?: unknown;
  error?: { desc: string };
}

const answerTimeoutMs = 10_000;

/** Opens the monitor at the other end of a socket. @see https://www.qemu.org/docs/master/interop/qmp-spec.html */
export async function openMonitor(socket: Socket): Promise<Monitor> {
  const waiting: ((answer: Answer) => void)[] = [];
  const lines = createInterface({ input: socket });
  // It passes on what the socket tells: a QEMU that is gone tells it by its exit, and whoever waits by the time.
  lines.on('error', () => {});
  lines.on('line', (line) => {
    const message = JSON.parse(line) as Answer;
    // Greeting and events answer nothing.
    if ('return' in message || 'error' in message) waiting.shift()?.(message);
  });
  const execute = async (command: string, given?: Record<string, unknown>) => {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const late = setTimeout(() => reject(new Error(`QEMU does not answer ${command}.`)), answerTimeoutMs);
    waiting.push(resolve);
    socket.write(`${JSON.stringify({ execute: command, ...(given && { arguments: given }) })}\n`);
    const answer = await promise.finally(() => clearTimeout(late));
    if (answer.error) throw new Error(`QEMU refuses ${command}: ${answer.error.desc}`);
    return answer.return;
  };
  await execute('qmp_capabilities');
  return { execute };
}
