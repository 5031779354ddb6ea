import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import pino from 'pino';
import type { BuildQueue, Claimed } from '../../queue/build-queue.ts';
import { createDriverForTests } from '../vm/driver-for-tests.ts';
import { createVmPool } from '../vm/pool.ts';
import { type ControlPlane, ControlPlaneError } from './control-plane.ts';
import { runRunner } from './runner.ts';
import type { RunnerContext } from './runner-context.ts';

/** What a runner does to the queue while the API answers its claims with `status`; the queue always has a build. */
async function serveRefused(status: number, claimed: Claimed) {
  const said = { claims: [] as string[], requeued: [] as string[], finished: [] as string[] };
  const stop = new AbortController();
  const queue = {
    async claim(holder: string, _leaseMs: number, { finished }: { finished?: { build: string } }) {
      if (finished) said.finished.push(finished.build);
      said.claims.push(holder);
      await delay(5);
      return claimed;
    },
    heartbeat: async () => 'held',
    watchCancellations: async () => {},
    requeue: async (build: string, holder: string) => said.requeued.push(`${build} ${holder}`) > 0,
    finish: async (build: string) => said.finished.push(build) > 0,
    waitForWork: async () => {},
  } as unknown as BuildQueue;
  const driver = createDriverForTests();
  const pool = createVmPool({ driver, min: 0, max: 0, memoryMib: 1024, cpus: 1, maxAgeMs: 60_000 });
  const controlPlane = {
    claim: async () => {
      throw new ControlPlaneError(status, 'unauthorized', 'The token is not valid.');
    },
  } as unknown as ControlPlane;
  const running = runRunner(
    {
      ...{ name: 'runner-1', queue, controlPlane, pool, driver, slots: 1, log: pino({ level: 'silent' }) },
      ...{ handOver: new AbortController().signal, signal: new AbortController().signal },
    } as unknown as RunnerContext,
    stop.signal,
  );
  await delay(500);
  stop.abort();
  await running;
  await pool.close();
  await driver.close();
  return said;
}

describe('a runner whose credential the API does not take', () => {
  for (const status of [401, 403]) {
    test(`puts the build back to its place and waits before it claims again (${status})`, async () => {
      const said = await serveRefused(status, { build: 'bld_1' } as Claimed);
      assert.deepEqual(said.finished, [], 'the queue forgets no build that waits');
      assert.deepEqual(said.requeued[0], `bld_1 ${said.claims[0]}`);
      assert.ok(said.claims.length <= 2, `${said.claims.length} claims in half a second`);
    });
  }

  test('leaves a build that it would take over to another', async () => {
    const said = await serveRefused(401, { build: 'bld_1', takenFrom: ['runner-2/a'] } as Claimed);
    assert.deepEqual([said.finished, said.requeued], [[], []]);
    assert.ok(said.claims.length <= 2);
  });
});

test('a build that is no runner’s any more is no longer in the queue', async () => {
  const said = await serveRefused(409, { build: 'bld_1' } as Claimed);
  assert.deepEqual([...new Set(said.finished)], ['bld_1']);
  assert.deepEqual(said.requeued, []);
});
