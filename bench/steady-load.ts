import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Prepared {
  body: Buffer;
  headers: Record<string, string>;
}

/**
 * Sends at a steady rate, evenly spaced, whether or not the answers keep up. `send` is told when each was due, by
 * `performance.now()`; gives what it gave, in that order.
 */
export async function sendSteadily<T>(
  { rate, seconds }: { rate: number; seconds: number },
  send: (due: number) => Promise<T>,
): Promise<T[]> {
  const total = Math.round(rate * seconds);
  const pending: Promise<T>[] = [];
  const start = performance.now();
  while (pending.length < total) {
    const due = Math.min(total, Math.floor(((performance.now() - start) / 1000) * rate));
    while (pending.length < due) pending.push(send(start + (pending.length * 1000) / rate));
    await sleep(1);
  }
  return await Promise.all(pending);
}

/**
 * Posts at a steady rate, and gives the time from when each request was due to its whole answer: milliseconds, ascending.
 * Rejects when one is not answered with success.
 */
export async function steadyLoad(
  url: string,
  prepare: () => Prepared,
  { rate, seconds, connections }: { rate: number; seconds: number; connections: number },
): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  try {
    const times = await sendSteadily({ rate, seconds }, (due) => post(url, prepare(), agent, due));
    return times.sort((a, b) => a - b);
  } finally {
    agent.destroy();
  }
}

function post(url: string, { body, headers }: Prepared, agent: Agent, due: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', agent, headers, timeout: 30_000 }, (answer) => {
      answer.resume();
      answer.once('end', () => {
        const { statusCode = 0 } = answer;
        if (statusCode >= 200 && statusCode < 300) resolve(performance.now() - due);
        else reject(new Error(`${url} answered with ${statusCode}`));
      });
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

/** The value that this share of ascending values does not exceed. */
export function percentile(ascending: number[], share: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))] ?? 0;
}
