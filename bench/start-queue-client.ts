import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Taken, Task } from './queue-client.ts';

export interface QueueClient {
  /** Has the client do a task; milliseconds. */
  run(task: Task): Promise<number[]>;
  close(): Promise<void>;
}

/** Starts the one process from which a contender is driven, so that neither's pauses are the other's. */
export async function startQueueClient(kind: 'ebb' | 'bullmq', url: string): Promise<QueueClient> {
  const child = fork(fileURLToPath(new URL('queue-client.ts', import.meta.url)), [kind, url]);
  const gone = once(child, 'exit');
  const answer = async () => {
    const ended = gone.then(([code]) =>
      Promise.reject(new Error(`The client of ${kind} ended with ${code}.`)),
    );
    const [told] = await Promise.race([once(child, 'message'), ended]);
    return told;
  };
  await answer();
  return {
    async run(task) {
      const answered = answer();
      child.send(task);
      const taken = (await answered) as Taken;
      if ('error' in taken) throw new Error(taken.error);
      return taken.ms;
    },
    async close() {
      child.disconnect();
      await gone;
    },
  };
}
