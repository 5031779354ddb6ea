import { setTimeout as sleep } from 'node:timers/promises';

/** A process that builds, as a supervisor of processes sees it. */
export interface RunnerProcess {
  pid: number;
  gone: Promise<unknown>;
  /** Has it finish what is under way; resolves when it is gone. */
  stop(): Promise<void>;
}

/** Keeps a number of runners at work, whatever is done to them. */
export interface Runners {
  readonly count: number;
  killAndRestart(index: number, backAfterMs: number): Promise<void>;
  /** Stops it in its tracks for so long. */
  freeze(index: number, milliseconds: number): Promise<void>;
  /** Runners that ended although nobody killed them. */
  readonly crashes: string[];
  stop(): Promise<void>;
}

/** @param start starts the runner of a name, which is new each time; rejects when it does not come up */
export async function superviseRunners(
  count: number,
  start: (name: string) => Promise<RunnerProcess>,
): Promise<Runners> {
  let started = 0;
  const crashes: string[] = [];
  const meant = new Set<RunnerProcess>();
  const ended = new Set<RunnerProcess>();
  const underWay = new Set<Promise<void>>();
  let stopped = false;
  /** So that `stop` waits for it. */
  const track = (work: Promise<void>): Promise<void> => {
    underWay.add(work);
    return work.finally(() => underWay.delete(work));
  };
  const startUntilUp = async (): Promise<RunnerProcess | undefined> => {
    while (!stopped) {
      started += 1;
      const name = `runner-${started}`;
      const runner = await start(name).catch(() => undefined);
      if (runner) {
        void runner.gone.then(() => {
          ended.add(runner);
          if (!meant.has(runner)) crashes.push(name);
        });
        return runner;
      }
      await sleep(500);
    }
    return undefined;
  };
  const runners = await Promise.all(Array.from({ length: count }, startUntilUp));
  const signalTo = (index: number, signal: NodeJS.Signals) => {
    const runner = runners[index];
    if (!runner) throw new Error(`There is no runner ${index}.`);
    if (signal === 'SIGKILL') meant.add(runner);
    if (!ended.has(runner)) process.kill(runner.pid, signal);
    return runner;
  };
  return {
    count,
    crashes,
    killAndRestart: (index, backAfterMs) =>
      track(
        (async () => {
          await signalTo(index, 'SIGKILL').gone;
          await sleep(backAfterMs);
          runners[index] = await startUntilUp();
        })(),
      ),
    freeze: (index, milliseconds) =>
      track(
        (async () => {
          signalTo(index, 'SIGSTOP');
          await sleep(milliseconds);
          signalTo(index, 'SIGCONT');
        })(),
      ),
    async stop() {
      stopped = true;
      await Promise.allSettled(underWay);
      const left = runners.filter((runner) => runner !== undefined);
      for (const runner of left) meant.add(runner);
      await Promise.all(left.map((runner) => runner.stop()));
    },
  };
}
