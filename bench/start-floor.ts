import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A bare Fastify in a process of its own: what it costs to answer JSON, whatever is behind it. */
export interface Floor {
  url: string;
  /** What GET answers from now on. */
  answer(json: object): void;
  close(): Promise<void>;
}

export async function startFloor(): Promise<Floor> {
  const child = fork(fileURLToPath(new URL('floor-server.ts', import.meta.url)));
  const gone = once(child, 'exit');
  const [url] = await once(child, 'message');
  return {
    url: String(url),
    answer: (json) => void child.send(json),
    async close() {
      child.kill('SIGTERM');
      await gone;
    },
  };
}
