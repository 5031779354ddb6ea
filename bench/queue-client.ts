import { createBullmqContender } from './bullmq-contender.ts';
import type { Contender } from './contender.ts';
import { createEbbContender } from './ebb-contender.ts';

/** One piece of work for the process of a contender. */
export type Task =
  | { do: 'enqueue' | 'mix'; first: number; count: number; teams: number }
  | { do: 'serve'; count: number }
  | { do: 'wake'; count: number };

/** How long it took, or of `wake` each time; milliseconds. */
export type Taken = { ms: number[] } | { error: string };

const [kind, url = ''] = process.argv.slice(2);
const contender = kind === 'ebb' ? await createEbbContender(url) : await createBullmqContender(url);
process.on('message', (task: Task) => {
  perform(contender, task).then(
    (ms) => process.send?.({ ms } satisfies Taken),
    (error) => process.send?.({ error: String(error) } satisfies Taken),
  );
});
process.on('disconnect', () => void contender.close().then(() => process.exit()));
process.send?.('ready');

async function perform(on: Contender, task: Task): Promise<number[]> {
  if (task.do === 'wake') return await wakeups(on, task.count);
  const slots = task.do === 'enqueue' ? undefined : await on.open();
  const start = performance.now();
  await Promise.all([
    task.do === 'serve' ? undefined : on.enqueue(task.first, task.count, task.teams),
    slots?.serve(task.count),
  ]);
  const taken = performance.now() - start;
  await slots?.stop();
  return [taken];
}

async function wakeups(on: Contender, count: number): Promise<number[]> {
  const idle = await on.idle();
  const times: number[] = [];
  for (let number = 0; number < count; number += 1) times.push(await idle.wake(number));
  await idle.stop();
  return times;
}
