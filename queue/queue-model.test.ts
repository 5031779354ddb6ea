import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import type { BuildQueue } from './build-queue.ts';
import { QueueModel } from './queue-model-for-tests.ts';
import type { RedisServer } from './redis-server.ts';
import { createSweptQueue, walkThrough } from './swept-queue-for-tests.ts';
import { startRedis } from './test-redis.ts';

let server: RedisServer;
let count = 0;

before(async () => {
  server = await startRedis();
});
after(() => server.close());

const minute = 60_000;
const build = fc.constantFrom('b1', 'b2', 'b3', 'b4', 'b5', 'b6', 'b7', 'b8');
const project = fc.constantFrom('p1', 'p2', 'p3', 'p4');
const team = fc.constantFrom('t1', 't2');
const place = fc.constantFrom('here', 'there');
/** Whether it is asked by who holds the build. */
const own = fc.boolean();
const limit = fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined });
const teamOf = { p1: 't1', p2: 't1', p3: 't2', p4: 't2' } as const;

/** One of both truths more often than the other. */
const mostly = (truth: boolean) => fc.constantFrom(truth, truth, truth, !truth);

const claim = fc.record({
  ...{ runsOut: fc.boolean(), place: fc.option(place, { nil: undefined }), takeOverOnly: mostly(false) },
  finished: fc.option(fc.tuple(build, own), { nil: undefined }),
});

/** What may be asked of the queue; whoever does not get an answer asks again, so each may come twice. */
const command = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('enqueue' as const),
      ...{
        build,
        project,
        concurrency: fc.integer({ min: 1, max: 3 }),
        priority: fc.integer({ min: -2, max: 2 }),
      },
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('restore' as const),
      ...{
        build,
        project,
        concurrency: fc.integer({ min: 1, max: 3 }),
        priority: fc.integer({ min: -2, max: 2 }),
      },
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('claim' as const),
      // Mostly one, and some at once.
      claims: fc.oneof(
        { weight: 4, arbitrary: fc.tuple(claim) },
        fc.array(claim, { minLength: 2, maxLength: 4 }),
      ),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('finish' as const), build, own: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('requeue' as const), build, own: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('share' as const), build, place, own }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('handOver' as const), build, own }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), build }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('forget' as const), build }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('heartbeat' as const), build, own: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      ...{ kind: fc.constant('concurrency' as const), project, concurrency: fc.integer({ min: 1, max: 3 }) },
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      ...{ kind: fc.constant('team' as const), team, limit, paused: fc.boolean() },
      weight: fc.constantFrom(0.5, 1, 4),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('fleet' as const), limit, drained: fc.boolean() }) },
);
/** Long ones: limits show only once they are reached. */
const commands = fc.array(fc.tuple(command, fc.boolean()), { minLength: 30, maxLength: 100, size: 'max' });
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;

test('whatever comes in whatever order, the queue does as its model', async () => {
  await fc.assert(
    fc.asyncProperty(commands, async (all) => {
      count += 1;
      const queue = await createSweptQueue({ url: server.url, prefix: `{model-${count}}` });
      await walkThrough(queue);
      try {
        const model = new QueueModel();
        for (const [one, twice] of all) {
          await obey(queue, model, one);
          if (twice) await obey(queue, model, one);
        }
        await agree(queue, model);
      } finally {
        await queue.close();
      }
    }),
    { numRuns: Number(process.env.EBB_MODEL_RUNS ?? 150) },
  );
});

let holders = 0;

/** A name is used for one lease only. */
function nextHolder(): string {
  holders += 1;
  return `h${holders}`;
}

async function obey(queue: BuildQueue, model: QueueModel, one: Command): Promise<void> {
  switch (one.kind) {
    case 'enqueue': {
      const entry = { build: one.build, project: one.project, team: teamOf[one.project] };
      await queue.enqueue(entry, one.concurrency, { priority: one.priority });
      return model.enqueue(entry, one.concurrency, one.priority);
    }
    case 'restore': {
      const { concurrency, priority } = one;
      const entry = { build: one.build, project: one.project, team: teamOf[one.project] };
      const holder = nextHolder();
      const restored = await queue.restore(entry, { holder, leaseMs: minute }, concurrency, { priority });
      assert.equal(restored, model.restore(entry, holder, concurrency, priority));
      return;
    }
    case 'claim': {
      const claims = one.claims.map(({ runsOut, place: at, takeOverOnly, finished }) => ({
        ...{ holder: nextHolder(), runsOut, place: at, takeOverOnly },
        finished: finished && { build: finished[0], holder: model.holderOf(...finished) },
      }));
      const entries = await Promise.all(
        claims.map(({ holder, runsOut, ...beside }) => queue.claim(holder, runsOut ? 0 : minute, beside)),
      );
      for (const { finished } of claims) if (finished) model.finish(finished.build, finished.holder);
      for (const [index, lease] of claims.entries()) model.claimed(entries[index], lease);
      return;
    }
    case 'finish': {
      const holder = model.holderOf(one.build, one.own);
      assert.equal(await queue.finish(one.build, holder), model.finish(one.build, holder));
      return;
    }
    case 'requeue': {
      const holder = model.holderOf(one.build, one.own);
      assert.equal(await queue.requeue(one.build, holder), model.requeue(one.build, holder));
      return;
    }
    case 'share': {
      const holder = model.holderOf(one.build, one.own);
      const shared = await queue.share(one.build, holder, one.place);
      assert.equal(shared, model.share(one.build, holder, one.place));
      return;
    }
    case 'handOver': {
      const holder = model.holderOf(one.build, one.own);
      assert.equal(await queue.handOver(one.build, holder), model.handOver(one.build, holder));
      return;
    }
    case 'cancel':
      assert.equal(await queue.cancel(one.build), model.cancel(one.build));
      return;
    case 'forget':
      await queue.forget(one.build);
      return model.forget(one.build);
    case 'heartbeat': {
      const holder = model.holderOf(one.build, one.own);
      assert.equal(await queue.heartbeat(one.build, holder, minute), model.heartbeat(one.build, holder));
      return;
    }
    case 'concurrency':
      await queue.setConcurrency(one.project, one.concurrency);
      return model.setConcurrency(one.project, one.concurrency);
    case 'team': {
      const { limit, ...share } = { limit: one.limit, weight: one.weight, paused: one.paused };
      await queue.setTeam(one.team, { ...share, ...(limit !== undefined && { limit }) });
      return model.setTeam(one.team, limit, one.paused);
    }
    case 'fleet':
      await queue.setFleet({ drained: one.drained, ...(one.limit !== undefined && { limit: one.limit }) });
      return model.setFleet(one.limit, one.drained);
  }
}

/** Nothing is lost, doubled or in two states, and all that may run does in the end. */
async function agree(queue: BuildQueue, model: QueueModel): Promise<void> {
  const listed = (await queue.list()).map(({ build: one, state }) => `${one} ${state}`).sort();
  assert.deepEqual(listed, model.list());
  const counts = await queue.counts();
  const waiting = listed.filter((one) => one.endsWith('waiting')).length;
  assert.deepEqual([counts.waiting, counts.leased], [waiting, listed.length - waiting]);
  const depth = Object.values(await queue.depth());
  assert.equal(
    depth.reduce((sum, one) => sum + one.waiting, 0),
    waiting,
  );
  const places = model.places();
  assert.deepEqual(
    (await queue.places(places.map(({ build: one }) => one))).map((found) => found?.place),
    places.map(({ place: expected }) => expected),
  );
  await queue.setFleet({});
  model.setFleet(undefined, false);
  for (const name of ['t1', 't2']) {
    await queue.setTeam(name, {});
    model.setTeam(name, undefined, false);
  }
  for (;;) {
    const holder = nextHolder();
    const entry = await queue.claim(holder, minute);
    model.claimed(entry, { holder, runsOut: false });
    if (!entry) break;
  }
}
