import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiForTests } from '../api-for-tests.ts';

/** An API that is started again until it is up, as a supervisor of processes does. */
export interface SupervisedApi {
  killAndRestart(backAfterMs: number): Promise<void>;
  /** For how long it has been away; 0 while it is up. */
  awayMs(): number;
  /** How often it ended although nobody killed it. */
  crashes(): number;
  stop(): Promise<void>;
}

export function superviseApi(api: ApiForTests): SupervisedApi {
  let crashes = 0;
  let meant = false;
  let awaySince: number | undefined;
  let stopped = false;
  let last: Promise<void> = Promise.resolve();
  const inTurn = (work: () => Promise<void>) => {
    last = last.then(work);
    return last;
  };
  // One that finds PostgreSQL or Redis away ends at its start.
  const untilUp = async (start: Promise<void>) => {
    for (let up = start; !(await succeeds(up)) && !stopped; up = api.startAgain()) await sleep(500);
    awaySince = undefined;
    watch();
  };
  const watch = () => {
    meant = false;
    void api.gone().then(async () => {
      awaySince = performance.now();
      if (meant) return;
      crashes += 1;
      // Whoever was to kill it may have had it started by then.
      await inTurn(async () => {
        if (awaySince !== undefined && !stopped) await untilUp(api.startAgain());
      });
    });
  };
  watch();
  return {
    killAndRestart: (backAfterMs) =>
      inTurn(async () => {
        meant = true;
        await untilUp(api.killAndRestart(() => sleep(backAfterMs)));
      }),
    awayMs: () => (awaySince === undefined ? 0 : performance.now() - awaySince),
    crashes: () => crashes,
    async stop() {
      stopped = true;
      await last;
      meant = true;
      await api.stop();
    },
  };
}

async function succeeds(work: Promise<unknown>): Promise<boolean> {
  return await work.then(
    () => true,
    () => false,
  );
}
