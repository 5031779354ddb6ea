import { setTimeout as sleep } from 'node:timers/promises';

/** A process that builds, as a supervisor of processes sees it. */
export interface RunnerProcess {
  pid: number;
  gone: Promise<unknown>;
  /** Has it finish what is under way; resolves when it is gone. */
  stop(): Promise<void>;
}

/** `insisted`: it was asked to stop and did not in time. */
export type Fate = 'killed' | 'replaced' | 'insisted' | 'frozen';

// As whoever deploys waits.
const patienceMs = 30_000;

/** Keeps a number of runners at work, whatever is done to them. */
export interface Runners {
  readonly count: number;
  nameOf(index: number): string;
  killAndRestart(index: number, backAfterMs: number): Promise<void>;
  /** Asks it to stop, as a deployment does, and starts another one when it is gone. */
  replace(index: number): Promise<void>;
  /** Stops it in its tracks for so long. */
  freeze(index: number, milliseconds: number): Promise<void>;
  /** What was done to runners, by their names, in the order in which it was done. */
  readonly fates: ReadonlyMap<string, Fate[]>;
  /** Runners that ended although nobody had them end. */
  readonly crashes: string[];
  stop(): Promise<void>;
}

/** @param start starts the runner of a name, which is new each time; rejects when it does not come up */
export async function superviseRunners(
  count: number,
  start: (name: string) => Promise<RunnerProcess>,
): Promise<Runners> {
  let names = 0;
  const crashes: string[] = [];
  const fates = new Map<string, Fate[]>();
  const meant = new Set<NamedRunner>();
  const ended = new Set<NamedRunner>();
  const underWay = new Set<Promise<void>>();
  let stopped = false;
  /** So that `stop` waits for it. */
  const track = (work: Promise<void>): Promise<void> => {
    underWay.add(work);
    return work.finally(() => underWay.delete(work));
  };
  const startUntilUp = async (): Promise<NamedRunner | undefined> => {
    while (!stopped) {
      names += 1;
      const name = `runner-${names}`;
      const started = await start(name).catch(() => undefined);
      if (started) {
        const runner = { ...started, name };
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
  const runnerAt = (index: number): NamedRunner => {
    const runner = runners[index];
    if (!runner) throw new Error(`There is no runner ${index}.`);
    return runner;
  };
  const inflict = (runner: NamedRunner, fate: Fate, signal: NodeJS.Signals) => {
    if (ended.has(runner)) return;
    fates.set(runner.name, [...(fates.get(runner.name) ?? []), fate]);
    if (fate !== 'frozen') meant.add(runner);
    process.kill(runner.pid, signal);
  };
  return {
    ...{ count, fates, crashes },
    nameOf: (index) => runnerAt(index).name,
    killAndRestart: (index, backAfterMs) =>
      track(
        (async () => {
          const runner = runnerAt(index);
          inflict(runner, 'killed', 'SIGKILL');
          await runner.gone;
          await sleep(backAfterMs);
          runners[index] = await startUntilUp();
        })(),
      ),
    replace: (index) =>
      track(
        (async () => {
          const runner = runnerAt(index);
          inflict(runner, 'replaced', 'SIGTERM');
          const insist = setTimeout(() => inflict(runner, 'insisted', 'SIGKILL'), patienceMs);
          await runner.gone;
          clearTimeout(insist);
          runners[index] = await startUntilUp();
        })(),
      ),
    freeze: (index, milliseconds) =>
      track(
        (async () => {
          const runner = runnerAt(index);
          inflict(runner, 'frozen', 'SIGSTOP');
          await sleep(milliseconds);
          if (!ended.has(runner)) process.kill(runner.pid, 'SIGCONT');
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

interface NamedRunner extends RunnerProcess {
  name: string;
}
