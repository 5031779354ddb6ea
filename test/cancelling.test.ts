import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { insertBuild } from '../api/builds/insert-build.ts';
import { type Client, created, declareBuildableProject, signIn } from '../api/test-client.ts';
import { openTestContext, type TestContext } from '../api/test-context.ts';
import type { BuildQueue } from '../queue/build-queue.ts';
import { createRedisQueue } from '../queue/redis-queue.ts';
import { type ControlPlane, createControlPlane } from '../runner/build/control-plane.ts';
import { runRunner } from '../runner/build/runner.ts';
import { createFileKey } from '../runner/custody/key-file.ts';
import { createKeyring } from '../runner/custody/keyring.ts';
import { type Command, createDriverForTests, type DriverForTests } from '../runner/vm/driver-for-tests.ts';
import { createVmPool, type VmPool } from '../runner/vm/pool.ts';
import { proofWithoutDisk } from '../runner/vm/ramdisk-proof-for-tests.ts';

/*
 * The API, Redis, the runner and SSH are real; the VMs are SSH servers whose commands do what a test says. Time is counted in
 * the heartbeats of the runner, one a second, which a busy machine delays with all else. How long each cancellation took
 * stands in the diagnostics, too.
 */

const never = () => new Promise<never>(() => {});
const minute = 60_000;
// A lease lasts for 15; a VM must be gone long before.
const mostBeats = 6;

describe('a build that is cancelled', () => {
  let given: TestContext;
  let admin: Client;
  let driver: DriverForTests;
  let pool: VmPool;
  let queue: BuildQueue;
  /** Heartbeats of the runner that were answered. */
  let beats: number;
  /** While set, nothing that the runner says to Redis arrives, and it hears nothing. */
  let cutOff: boolean;
  let stop: AbortController;
  let served: Promise<void> | undefined;
  let project: Awaited<ReturnType<typeof declareBuildableProject>>;
  before(async () => {
    given = await openTestContext();
    await given.listen();
    admin = await signIn(given, given.keys.admin);
  });
  after(() => given.close());
  beforeEach(async () => {
    stop = new AbortController();
    beats = 0;
    cutOff = false;
    queue = await createRedisQueue({ url: given.redisUrl });
    driver = createDriverForTests();
    pool = createVmPool({ driver, min: 0, max: 0, memoryMib: 1024, cpus: 1, maxAgeMs: minute });
    program('ramdisk-proof', async ({ print }) => {
      print(JSON.stringify(proofWithoutDisk));
      return 0;
    });
    for (const name of ['checkout', 'handover', 'step']) program(name, async () => 0);
    project = await declareBuildableProject(given, admin, { test: ['make test'], concurrency: 9 });
  });
  afterEach(async () => {
    stop.abort();
    await served;
    served = undefined;
    await pool.close();
    await driver.close();
    await queue.close();
  });

  const program = (name: string, run: Command) => driver.commands.set(`/usr/lib/ebb/${name}`, run);
  /** A program that goes on for ever and tells when it has begun. */
  const hang = (name: string) =>
    new Promise<void>((begun) => {
      program(name, () => {
        begun();
        return never();
      });
    });
  const runner = (over: Partial<ControlPlane> = {}) => {
    const controlPlane = createControlPlane({ url: given.context.publicUrl, apiKey: given.keys.runner });
    served = runRunner(
      {
        ...{ name: 'runner-1', queue: counted(), controlPlane: { ...controlPlane, ...over } },
        ...{ driver, pool, slots: 1 },
        keyring: createKeyring(createFileKey(given.keyEncryptionKey.export({ format: 'jwk' }))),
        log: pino({ level: 'silent' }),
        handOver: new AbortController().signal,
        signal: new AbortController().signal,
      },
      stop.signal,
    );
    return controlPlane;
  };
  const counted = (): BuildQueue => ({
    ...queue,
    async heartbeat(...asked) {
      if (cutOff) throw new Error('The network is cut.');
      const answer = await queue.heartbeat(...asked);
      beats += 1;
      return answer;
    },
    watchCancellations: (onCancel, signal) =>
      queue.watchCancellations((build) => cutOff || onCancel(build), signal),
  });
  const start = async () => (await created(admin, '/v1/builds', { project_id: project.id })).id;
  const read = async (id: string) => (await admin.call('GET', `/v1/builds/${id}`)).body;
  const ended = async (id: string) => {
    for (;;) {
      const build = await read(id);
      if (build.finished_at !== null) return build;
      await sleep(10);
    }
  };
  /** Cancels, waits for the end, and tells how long that took. */
  async function cancel(t: { diagnostic(message: string): void }, id: string) {
    const from = performance.now();
    const beatsBefore = beats;
    const answer = await admin.call('POST', `/v1/builds/${id}/cancel`);
    assert.ok([200, 202].includes(answer.status), answer.text);
    const build = await ended(id);
    t.diagnostic(`${build.state} after ${Math.round(performance.now() - from)} ms`);
    assert.ok(beats - beatsBefore <= mostBeats, `${beats - beatsBefore} heartbeats later`);
    return build;
  }
  const isGone = async (id: string) => {
    const beatsBefore = beats;
    while (driver.alive.size > 0 || (await queue.list()).some(({ build }) => build === id)) await sleep(10);
    assert.ok(beats - beatsBefore <= mostBeats, `gone ${beats - beatsBefore} heartbeats later`);
  };

  test('while it awaits its approval ends at once, and cannot be approved any more', async (t) => {
    const teamOf = given.context.database.selectFrom('project').select('team_id');
    const { team_id: teamId } = await teamOf.where('id', '=', project.id).executeTakeFirstOrThrow();
    const { id } = await given.context.database.transaction().execute((transaction) =>
      insertBuild(
        transaction,
        {
          ...{ projectId: project.id, teamId, trigger: 'pull_request', ref: 'refs/pull/1/head' },
          ...{ branch: 'patch', commit: 'c'.repeat(40), message: '' },
          pullRequest: { number: 1, fromFork: true },
        },
        new Date(),
      ),
    );
    assert.equal((await cancel(t, id)).state, 'cancelled');
    assert.equal((await admin.call('POST', `/v1/builds/${id}/approve`)).status, 409);
  });

  test('while it waits in line ends at once and is never run', async (t) => {
    const id = await start();
    assert.equal((await cancel(t, id)).state, 'cancelled');
    runner();
    await isGone(id);
    assert.deepEqual(driver.launched, []);
  });

  test('between its lease and its claim ends at once, and its runner gets nothing of it', async (t) => {
    const id = await start();
    const [leased, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { claim } = createControlPlane({ url: given.context.publicUrl, apiKey: given.keys.runner });
    runner({
      async claim(build, holder, signal) {
        leased.resolve();
        await goOn.promise;
        return await claim(build, holder, signal);
      },
    });
    await leased.promise;
    assert.equal((await cancel(t, id)).state, 'cancelled');
    goOn.resolve();
    await isGone(id);
    assert.deepEqual(driver.launched, []);
  });

  test('while its VM boots ends, and the boot is given up', async (t) => {
    driver.gate = never();
    const id = await start();
    runner();
    while (driver.launched.length === 0) await sleep(5);
    const { state, reason, phase } = await cancel(t, id);
    assert.deepEqual([state, reason, phase], ['cancelled', 'Cancelled by request.', null]);
    await isGone(id);
  });

  for (const [what, name] of [
    ['while its VM shows that it has no disk', 'ramdisk-proof'],
    ['in the checkout', 'checkout'],
    ['in a step that ignores every signal', 'step'],
  ] as const)
    test(`${what} ends, and its VM goes with whatever runs there`, async (t) => {
      const begun = hang(name);
      const id = await start();
      runner();
      await begun;
      const { state, reason } = await cancel(t, id);
      assert.deepEqual([state, reason], ['cancelled', 'Cancelled by request.']);
      await isGone(id);
    });

  test('when it has passed, and only that is still to be told, stays passed', async (t) => {
    const [finishing, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { build } = createControlPlane({ url: given.context.publicUrl, apiKey: given.keys.runner });
    runner({
      build(specification) {
        const reports = build(specification);
        return {
          ...reports,
          async finish(outcome, signal) {
            finishing.resolve();
            await goOn.promise;
            await reports.finish(outcome, signal);
          },
        };
      },
    });
    const id = await start();
    await finishing.promise;
    const told = cancel(t, id);
    while (!(await isAskedToStop(id))) await sleep(5);
    goOn.resolve();
    assert.equal((await told).state, 'passed');
    await isGone(id);
  });
  const isAskedToStop = async (id: string) => {
    const build = given.context.database.selectFrom('build').select('cancel_requested').where('id', '=', id);
    return (await build.executeTakeFirstOrThrow()).cancel_requested;
  };

  test('while its runner is dead ends long before its lease, which it loses, too', async (t) => {
    const id = await start();
    const holder = `runner-1/${crypto.randomUUID()}`;
    assert.equal((await queue.claim(holder, 10 * minute))?.build, id);
    const claimed = await (await signIn(given, given.keys.runner)).call('POST', `/v1/builds/${id}/claim`, {
      lease_holder: holder,
    });
    assert.equal(claimed.status, 200);
    assert.equal((await cancel(t, id)).state, 'cancelled');
    while ((await queue.leaseUntil(id)) !== undefined) await sleep(10);
    assert.equal(await queue.heartbeat(id, holder, minute), 'cancel');
  });

  /** Cancels a build of a runner that lives, and that Redis does not hear. */
  const cancelUnheard = async (t: { diagnostic(message: string): void }) => {
    const begun = hang('step');
    const id = await start();
    runner();
    await begun;
    cutOff = true;
    assert.equal((await cancel(t, id)).state, 'cancelled');
    return id;
  };

  test('while its runner lives but is not heard goes with its VM once the runner hears of Redis again', async (t) => {
    const id = await cancelUnheard(t);
    while ((await queue.leaseUntil(id)) !== undefined) await sleep(10);
    assert.equal(driver.alive.size, 1, 'nobody told the runner');
    cutOff = false;
    await isGone(id);
  });

  test('while its runner lives but hears nothing of Redis goes with its VM by a word of the API', async (t) => {
    const id = await cancelUnheard(t);
    await isGone(id);
  });

  test('while Redis is away stops at its next phase, without a word of Redis', async (t) => {
    const [goOn, began] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const done: string[] = [];
    program('checkout', async () => {
      began.resolve();
      await goOn.promise;
      return 0;
    });
    program('step', async ({ stdin }) => {
      done.push(await stdin);
      return 0;
    });
    const id = await start();
    runner();
    await began.promise;
    const { cancel: usual } = given.context.queue;
    given.context.queue.cancel = () => Promise.reject(new Error('Redis is away.'));
    try {
      const told = cancel(t, id);
      while (!(await isAskedToStop(id))) await sleep(5);
      goOn.resolve();
      assert.equal((await told).state, 'cancelled');
    } finally {
      given.context.queue.cancel = usual;
    }
    await isGone(id);
    assert.deepEqual(done, []);
  });
});
