import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type BuildQueue, QueueFullError } from './build-queue.ts';
import { connectRedis } from './redis-connection.ts';
import { startConfiguredRedis } from './redis-for-tests.ts';
import { createRedisQueue } from './redis-queue.ts';
import { type RedisServer, startRedisServer } from './redis-server.ts';
import { createSweptQueue, walkThrough } from './swept-queue-for-tests.ts';
import { startRedis } from './test-redis.ts';

let server: RedisServer;
let queues: BuildQueue[] = [];
let prefixes = 0;

before(async () => {
  server = await startRedis();
});
after(async () => {
  await Promise.all(queues.map((queue) => queue.close()));
  queues = [];
  await server.close();
});

/** A queue that shares nothing with that of another test. */
async function freshQueue(options: { maxWaiting?: number } = {}): Promise<BuildQueue> {
  prefixes += 1;
  const queue = await createSweptQueue({ url: server.url, prefix: `{test-${prefixes}}`, ...options });
  await walkThrough(queue);
  queues.push(queue);
  return queue;
}

const entry = (build: string, project = 'p1') => ({ build, project, team: 't1' });
const minute = 60_000;

test('a build is leased to one runner only and leaves when that runner finishes it', async () => {
  const queue = await freshQueue();
  await queue.enqueue(entry('b1'), 1);
  assert.deepEqual(await queue.claim('r1', minute), entry('b1'));
  assert.equal(await queue.claim('r2', minute), undefined);
  assert.equal(await queue.finish('b1', 'r2'), false);
  assert.equal(await queue.finish('b1', 'r1'), true);
  assert.deepEqual(await queue.list(), []);
});

test('enqueueing a build twice gives it once', async () => {
  const queue = await freshQueue();
  await queue.enqueue(entry('b1', 'p1'), 5);
  await queue.enqueue(entry('b1', 'p1'), 5);
  await queue.claim('r1', minute);
  assert.equal(await queue.claim('r1', minute), undefined);
});

test('a project never has more leases than its concurrency, and goes on when one ends', async () => {
  const queue = await freshQueue();
  for (const build of ['b1', 'b2', 'b3']) await queue.enqueue(entry(build, 'p1'), 2);
  assert.equal((await queue.claim('r', minute))?.build, 'b1');
  assert.equal((await queue.claim('r', minute))?.build, 'b2');
  assert.equal(await queue.claim('r', minute), undefined);
  assert.deepEqual(await queue.place('b3'), { place: 1, waitsFor: 'project_limit', limit: 2 });
  await queue.finish('b1', 'r');
  assert.equal((await queue.claim('r', minute))?.build, 'b3');
});

test('projects take turns, however many builds one of them has', async () => {
  const queue = await freshQueue();
  for (let number = 0; number < 10; number++) await queue.enqueue(entry(`many-${number}`, 'many'), 10);
  await queue.enqueue(entry('few-0', 'few'), 10);
  const first = [await queue.claim('r', minute), await queue.claim('r', minute)].map(
    (claim) => claim?.project,
  );
  assert.deepEqual(first.sort(), ['few', 'many']);
});

test('a hundred claims at once give each build to one runner', async () => {
  const queue = await freshQueue();
  for (let number = 0; number < 50; number++) await queue.enqueue(entry(`b${number}`, `p${number % 7}`), 100);
  const claims = await Promise.all(
    Array.from({ length: 100 }, (_, runner) => queue.claim(`r${runner}`, minute)),
  );
  const builds = claims.flatMap((claim) => (claim ? [claim.build] : []));
  assert.equal(builds.length, 50);
  assert.equal(new Set(builds).size, 50);
});

test('a lease that runs out is reported, and the build can wait again at its old place', async () => {
  const queue = await freshQueue();
  await queue.enqueue(entry('b1'), 1);
  await queue.enqueue(entry('b2'), 1);
  await queue.claim('r1', 0);
  assert.deepEqual(await queue.expired(), ['b1']);
  await queue.requeue('b1', 'r1');
  assert.deepEqual(await queue.expired(), []);
  assert.equal((await queue.claim('r2', minute))?.build, 'b1');
  assert.equal(await queue.heartbeat('b1', 'r1', minute), 'lost');
  assert.equal(await queue.heartbeat('b1', 'r2', minute), 'held');
});

test('only its holder, or the end of its lease, makes a build wait again; twice is once', async () => {
  const queue = await freshQueue();
  await queue.enqueue(entry('b1'), 1);
  await queue.claim('r1', minute);
  assert.equal(await queue.requeue('b1', 'another'), false);
  assert.equal(await queue.requeue('b1', 'r1'), true);
  assert.equal(await queue.requeue('b1', 'r1'), false);
  await queue.claim('r2', 0);
  const answers = await Promise.all([queue.requeue('b1', 'x'), queue.requeue('b1', 'y')]);
  assert.deepEqual(answers.sort(), [false, true]);
  await queue.claim('r3', minute);
  assert.equal(await queue.finish('b1', 'r2'), false);
  assert.deepEqual(await queue.list(), [{ build: 'b1', state: 'leased', holder: 'r3' }]);
});

test('a project that is given more concurrency goes on at once, and with less takes no more', async () => {
  const queue = await freshQueue();
  for (const build of ['b1', 'b2', 'b3', 'b4']) await queue.enqueue(entry(build), 1);
  await queue.claim('r', minute);
  assert.equal(await queue.claim('r', minute), undefined);
  await queue.setConcurrency('p1', 2);
  assert.equal((await queue.claim('r', minute))?.build, 'b2');
  await queue.setConcurrency('p1', 1);
  await queue.finish('b1', 'r');
  assert.equal(await queue.claim('r', minute), undefined);
});

test('a heartbeat keeps the lease', async () => {
  const queue = await freshQueue();
  await queue.enqueue(entry('b1'), 1);
  await queue.claim('r1', 0);
  await queue.heartbeat('b1', 'r1', minute);
  assert.deepEqual(await queue.expired(), []);
});

test('a lease tells until when it is good, and no lease tells nothing', async () => {
  const queue = await freshQueue();
  await queue.enqueue(entry('b1'), 1);
  assert.equal(await queue.leaseUntil('b1'), undefined);
  await queue.claim('r1', minute);
  const first = await queue.leaseUntil('b1');
  await queue.heartbeat('b1', 'r1', 2 * minute);
  assert.ok(Number(await queue.leaseUntil('b1')) >= Number(first) + minute);
});

test('cancelling removes a waiting build and signals the runner of a leased one', async () => {
  const queue = await freshQueue();
  await queue.enqueue(entry('b1', 'p1'), 5);
  await queue.enqueue(entry('b2', 'p1'), 5);
  await queue.claim('r1', minute);
  const signalled: string[] = [];
  await queue.watchCancellations((build) => signalled.push(build), AbortSignal.timeout(minute));
  assert.equal(await queue.cancel('b2'), 'removed');
  assert.equal(await queue.cancel('b1'), 'signalled');
  assert.equal(await queue.cancel('nothing'), 'absent');
  assert.equal(await queue.heartbeat('b1', 'r1', minute), 'cancel');
  assert.equal(await queue.claim('r1', minute), undefined);
  assert.deepEqual(signalled, ['b1']);
});

test('a holder that was not heard while its build was forgotten is asked to stop', async () => {
  const queue = await freshQueue();
  await queue.enqueue(entry('b1'), 1);
  await queue.claim('r1', minute);
  await queue.forget('b1');
  assert.equal(await queue.heartbeat('b1', 'r1', minute), 'cancel');
  assert.deepEqual(await queue.counts(), { waiting: 0, leased: 0, expired: 0 });
});

test('who began to listen while Redis was away hears what comes when it is back', async () => {
  const redis = await startConfiguredRedis();
  const queue = await createSweptQueue({ url: redis.url });
  try {
    const signalled: string[] = [];
    const stop = AbortSignal.timeout(minute);
    await redis.killAndRestart(false, async () => {
      await assert.rejects(queue.watchCancellations((build) => signalled.push(build), stop));
    });
    await queue.enqueue(entry('b1'), 1);
    await queue.claim('r1', minute);
    await queue.watchCancellations(() => {}, stop);
    await queue.cancel('b1');
    while (signalled.length === 0 && !stop.aborted) await delay(20);
    assert.deepEqual(signalled, ['b1']);
  } finally {
    await queue.close();
    await redis.close();
  }
});

test('a full queue refuses and says so beforehand, until a build leaves it', async () => {
  const queue = await freshQueue({ maxWaiting: 1 });
  await queue.requireRoom();
  await queue.enqueue(entry('b1'), 1);
  await assert.rejects(queue.enqueue(entry('b2'), 1), QueueFullError);
  await assert.rejects(queue.requireRoom(), { code: 'queue_full', limit: 1 });
  await queue.claim('r', minute);
  await queue.requireRoom();
  await queue.enqueue(entry('b2'), 1);
});

test('of builds that come at once as many are taken as there is room for, each once', async () => {
  const queue = await freshQueue({ maxWaiting: 30 });
  const builds = Array.from({ length: 50 }, (_, number) => `b${number % 40}`);
  const added = await Promise.allSettled(builds.map((build) => queue.enqueue(entry(build), 1)));
  const refused = added.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
  assert.equal(refused.length, 10);
  assert.ok(refused.every((error) => error instanceof QueueFullError));
  assert.equal((await queue.counts()).waiting, 30);
  assert.deepEqual((await queue.list()).map(({ build }) => build).sort(), builds.slice(0, 30).sort());
});

test('a claim ends the lease that its holder is done with, also when there is nothing else', async () => {
  const queue = await freshQueue();
  for (const build of ['b1', 'b2']) await queue.enqueue(entry(build), 1);
  await queue.claim('r1', minute);
  assert.equal(await queue.claim('r2', minute, { finished: { build: 'b1', holder: 'r9' } }), undefined);
  const next = { finished: { build: 'b1', holder: 'r1' } };
  assert.equal((await queue.claim('r2', minute, next))?.build, 'b2', 'the project has room for it by then');
  assert.equal(await queue.claim('r3', minute, next), undefined, 'asked again');
  assert.equal(await queue.claim('r3', minute, { finished: { build: 'b2', holder: 'r2' } }), undefined);
  assert.deepEqual(await queue.list(), []);
});

test('a project that had no builds for an hour is forgotten, and one that had some lately is not', async () => {
  const queue = await freshQueue();
  const redis = await connectRedis(server);
  const prefix = `{test-${prefixes}}`;
  const known = async () =>
    (await redis.hkeys(`${prefix}:state`)).filter((field) => field.startsWith('project:')).sort();
  const build = async (project: string) => {
    await queue.enqueue(entry(`of-${project}`, project), 1);
    await queue.forget(`of-${project}`);
  };
  try {
    for (const project of ['old', 'back', 'lately']) await build(project);
    const hourAgo = Date.now() - 61 * minute;
    for (const project of ['old', 'back']) await redis.zadd(`${prefix}:idle`, hourAgo, project);
    await queue.enqueue(entry('b1', 'back'), 1);
    await build('another');
    assert.deepEqual(await known(), ['project:another', 'project:back', 'project:lately']);
    assert.deepEqual(await redis.zrange(`${prefix}:idle`, '0', '-1'), ['lately', 'another']);
    assert.equal((await queue.claim('r', minute))?.build, 'b1');
  } finally {
    redis.disconnect();
  }
});

test('who waits for work is woken by an enqueue', async () => {
  const queue = await freshQueue();
  const woken = queue.waitForWork(minute, AbortSignal.timeout(minute));
  const other = await createSweptQueue({ url: server.url, prefix: `{test-${prefixes}}` });
  queues.push(other);
  const again = setInterval(() => void other.enqueue(entry(`b${Math.random()}`, 'p'), 1000), 20);
  await woken;
  clearInterval(again);
});

test('a watcher hears of its build only, on every connection', async () => {
  const queue = await freshQueue();
  const stop = new AbortController();
  const heard = new Promise<void>((resolve) => {
    const announce = () => void queue.announce('b1');
    queue.watch('b1', resolve, stop.signal).then(announce);
  });
  let other = 0;
  await queue.watch('b2', () => (other += 1), stop.signal);
  await heard;
  stop.abort();
  assert.equal(other, 0);
});

test('a runner is present for as long as it says so', async () => {
  const queue = await freshQueue();
  assert.equal(await queue.isPresent('r1'), false);
  await queue.present('r1', minute);
  assert.equal(await queue.isPresent('r1'), true);
  assert.equal(await queue.isPresent('r2'), false);
  await queue.present('r1', 1);
  while (await queue.isPresent('r1'));
});

test('a server that a killed process left behind is ended by the next start in its folder', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ebb-redis-left-'));
  t.after(() => rm(folder, { recursive: true }));
  const left = await startRedisServer({ folder });
  const next = await startRedisServer({ folder });
  t.after(() => next.close());
  assert.throws(() => process.kill(left.pid, 0), { code: 'ESRCH' });
  const queue = await createSweptQueue({ url: next.url });
  queues.push(queue);
  await queue.ping();
});

test('a build whose holder is gone is taken over from its place by one runner, before it is waited for, and counts once', async () => {
  const queue = await freshQueue();
  for (const build of ['b1', 'b2']) await queue.enqueue(entry(build), 1);
  await queue.claim('r1', 0);
  assert.equal(await queue.claim('r2', minute, { place: 'here' }), undefined, 'nobody shared it');
  assert.equal(await queue.share('b1', 'r2', 'here'), false);
  assert.equal(await queue.share('b1', 'r1', 'here'), true);
  assert.equal(await queue.claim('r2', minute, { place: 'elsewhere' }), undefined);
  const both = await Promise.all(
    ['r2', 'r3'].map((holder) => queue.claim(holder, minute, { place: 'here' })),
  );
  assert.deepEqual(both.filter(Boolean), [{ ...entry('b1'), takenFrom: ['r1'], handedOver: false }]);
  assert.equal(await queue.heartbeat('b1', 'r1', minute), 'taken');
  assert.equal(await queue.claim('r4', minute), undefined, 'the project is at its limit all the while');
  assert.equal(await queue.finish('b1', both[0] ? 'r2' : 'r3'), true);
  assert.equal((await queue.claim('r4', minute))?.build, 'b2');
});

test('a build that is handed over may be taken over at once, and tells all who had it', async () => {
  const queue = await freshQueue();
  await queue.enqueue(entry('b1'), 1);
  await queue.claim('r1', minute);
  await queue.share('b1', 'r1', 'here');
  assert.equal(await queue.handOver('b1', 'r2'), false);
  assert.equal(await queue.handOver('b1', 'r1'), true);
  assert.deepEqual(await queue.expired(), ['b1']);
  assert.deepEqual(await queue.expired({ forMs: minute }), [], 'not for a minute yet');
  assert.equal((await queue.claim('r2', 0, { place: 'here' }))?.handedOver, true);
  const third = await queue.claim('r3', 0, { place: 'here' });
  assert.deepEqual(
    [third?.takenFrom, third?.handedOver],
    [['r1', 'r2'], false],
    'the second gave it to nobody',
  );
  await queue.share('b1', 'r3', 'here');
  assert.deepEqual((await queue.claim('r4', 0, { place: 'here' }))?.takenFrom, ['r1', 'r2', 'r3']);
  await queue.requeue('b1', 'r4');
  assert.equal(await queue.heartbeat('b1', 'r1', minute), 'lost');
});

test('a runner that can boot no VM takes over what was left and ends leases, but gets nothing that waits', async () => {
  const queue = await freshQueue();
  for (const build of ['b1', 'b2']) await queue.enqueue(entry(build), 2);
  await queue.claim('r1', minute);
  const beside = { place: 'here', takeOverOnly: true };
  const finished = { build: 'b1', holder: 'r1' };
  assert.equal(await queue.claim('r2', minute, { ...beside, finished }), undefined);
  assert.deepEqual(await queue.list(), [{ build: 'b2', state: 'waiting' }]);
  await queue.claim('r3', 0);
  await queue.share('b2', 'r3', 'here');
  assert.equal((await queue.claim('r4', minute, beside))?.build, 'b2');
});

test('a share that was read before another that is known is left out, one without a version never', async () => {
  const queue = await freshQueue();
  await queue.enqueue(entry('b1'), 1);
  const waitsFor = async () => (await queue.place('b1'))?.waitsFor;
  await queue.setTeam('t1', { paused: true, version: 12 });
  await queue.setTeam('t1', { paused: false, version: 11 });
  assert.equal(await waitsFor(), 'team_paused');
  await queue.setTeam('t1', { paused: false, version: 12 });
  assert.equal(await waitsFor(), 'turn');
  await queue.setFleet({ drained: true, version: 2 });
  await queue.setFleet({ drained: false, version: 1 });
  assert.equal(await waitsFor(), 'drained');
  await queue.setFleet({});
  await queue.setTeam('t1', { limit: 0 });
  assert.equal(await waitsFor(), 'team_limit');
});

test('the places of many builds are asked at once, each with what its own project and team wait for', async () => {
  const queue = await freshQueue();
  const line = Array.from({ length: 197 }, (_, number) => `b${number}`);
  for (const build of ['running', ...line]) await queue.enqueue(entry(build), 1);
  await queue.enqueue({ build: 'other', project: 'p2', team: 't2' }, 1);
  await queue.claim('r1', minute);
  await queue.setTeam('t2', { paused: true });
  const asked = ['other', ...line.toReversed(), 'running', 'unknown'];
  const [other, ...places] = await queue.places(asked);
  assert.deepEqual(other, { place: 1, waitsFor: 'team_paused' });
  const expected = line.map((_build, index) => ({ place: index + 1, waitsFor: 'project_limit', limit: 1 }));
  assert.deepEqual(places, [...expected.toReversed(), undefined, undefined]);
  assert.deepEqual(await queue.places([]), []);
  await assert.rejects(queue.places([...asked, 'one more']), /201 builds .* at most 200/);
});

test('a build that waits for its turn says so when runners hold back, as long as they say it', async () => {
  const queue = await freshQueue();
  for (const build of ['b1', 'b2']) await queue.enqueue(entry(build), 1);
  await queue.enqueue(entry('of-another', 'p2'), 1);
  await queue.holdBack(minute);
  await queue.claim('r1', minute);
  assert.deepEqual(await queue.places(['b2', 'of-another']), [
    { place: 1, waitsFor: 'project_limit', limit: 1 },
    { place: 1, waitsFor: 'turn', heldBack: true },
  ]);
  await queue.holdBack(1);
  await delay(20);
  assert.deepEqual(await queue.place('of-another'), { place: 1, waitsFor: 'turn' });
});

test('a build that is to be cancelled, or was given back, is not taken over', async () => {
  const queue = await freshQueue();
  await queue.enqueue(entry('b1'), 1);
  await queue.claim('r1', 0);
  await queue.share('b1', 'r1', 'here');
  await queue.requeue('b1', 'r1');
  await queue.claim('r2', 0);
  assert.equal(
    await queue.claim('r3', minute, { place: 'here' }),
    undefined,
    'its new holder has another VM',
  );
  await queue.share('b1', 'r2', 'here');
  await queue.cancel('b1');
  assert.equal(await queue.claim('r3', minute, { place: 'here' }), undefined);
});

test('nothing that waits is given before the fleet is told, and who waits is woken then', async () => {
  const queue = await createRedisQueue({ url: server.url, prefix: `{test-${++prefixes}}` });
  queues.push(queue);
  await queue.enqueue(entry('b1'), 1);
  assert.equal(await queue.claim('r1', minute), undefined);
  const woken = queue.waitForWork(10 * minute, AbortSignal.timeout(10 * minute));
  await queue.watch('marker', () => {}, AbortSignal.timeout(minute));
  await queue.setFleet({ version: 3 });
  await woken;
  assert.equal((await queue.claim('r1', minute))?.build, 'b1');
});

test('of shares the later version counts, unless what is earlier is said to count anyway', async () => {
  const queue = await freshQueue();
  await queue.enqueue(entry('b1'), 1);
  const reason = async () => (await queue.place('b1'))?.waitsFor;
  assert.equal(await queue.setTeam('t1', { paused: true, version: 9 }), true);
  assert.equal(await queue.setTeam('t1', { version: 4 }), false);
  assert.equal(await reason(), 'team_paused');
  assert.equal(await queue.setTeam('t1', { version: 4, anyway: true }), true);
  assert.equal(await reason(), 'turn');
  assert.equal(await queue.setTeam('t1', { paused: true, version: 5 }), true);
  assert.equal(await reason(), 'team_paused');
  assert.equal(await queue.setFleet({ version: 9 }), true);
  assert.equal(await queue.setFleet({ drained: true, version: 4 }), false);
  assert.equal(await queue.setFleet({ drained: true, version: 4, anyway: true }), true);
});

test('a walk that was under way when Redis was lost again begins anew', async () => {
  const redis = await startConfiguredRedis();
  const queue = await createRedisQueue({ url: redis.url });
  try {
    assert.equal(await queue.walk('walk', false), 'begun');
    assert.equal(await queue.walk('walk', false), 'going_on');
    await redis.killAndRestart(false, async () => {});
    assert.equal(await queue.walk('walk', true), 'begun');
    assert.equal(await queue.walk('walk', true), 'done');
    assert.equal(await queue.walk('walk', false), 'done');
  } finally {
    await queue.close();
    await redis.close();
  }
});

test('while Redis may have lost something no holder is told that its lease is, and gets it back from the one before', async () => {
  const redis = await startConfiguredRedis();
  const queue = await createSweptQueue({ url: redis.url });
  try {
    await walkThrough(queue);
    await queue.enqueue(entry('b1'), 1);
    await queue.claim('r1', minute);
    assert.equal(await queue.heartbeat('b1', 'r2', minute), 'lost');
    await redis.killAndRestart(false, async () => {});
    assert.equal(
      await queue.heartbeat('b1', 'r2', minute),
      'absent',
      'who took it over, of which Redis lost all',
    );
    const lease = { holder: 'r2', leaseMs: minute };
    assert.equal(await queue.restore(entry('b1'), { ...lease, earlier: 'r0' }, 1), false);
    assert.equal(await queue.restore(entry('b1'), { ...lease, earlier: 'r1' }, 1), true);
    assert.equal(await queue.heartbeat('b1', 'r2', minute), 'held');
    assert.equal(await queue.heartbeat('b1', 'r1', minute), 'taken');
    const back = { holder: 'r1', leaseMs: minute, earlier: 'r2' };
    assert.equal(await queue.restore(entry('b1'), back, 1), false, 'it was taken from that one');
    assert.deepEqual(await queue.counts(), { waiting: 0, leased: 1, expired: 0 });
    await walkThrough(queue);
    assert.equal(await queue.heartbeat('b1', 'r3', minute), 'lost');
  } finally {
    await queue.close();
    await redis.close();
  }
});

test('where Redis is full builds are ended, claimed, held and cancelled all the same, and none is added', async () => {
  const redis = await startConfiguredRedis('--maxmemory-policy', 'noeviction');
  const queue = await createSweptQueue({ url: redis.url });
  const client = await connectRedis(redis);
  try {
    for (const build of ['b1', 'b2', 'b3', 'b4']) await queue.enqueue(entry(build), 3);
    await queue.claim('r1', minute);
    await client.config('SET', 'maxmemory', '1');
    await assert.rejects(queue.enqueue(entry('b5'), 1), /OOM/);
    assert.equal(await queue.heartbeat('b1', 'r1', minute), 'held');
    assert.equal((await queue.claim('r2', minute))?.build, 'b2');
    assert.equal(await queue.requeue('b2', 'r2'), true);
    await queue.present('runner-1', minute);
    assert.equal(await queue.isPresent('runner-1'), true);
    assert.equal(await queue.lead('api-1', minute), true);
    assert.equal(await queue.cancel('b3'), 'removed');
    assert.equal(await queue.finish('b1', 'r1'), true);
    assert.deepEqual(await queue.counts(), { waiting: 2, leased: 0, expired: 0 });
  } finally {
    client.disconnect();
    await queue.close();
    await redis.close();
  }
});

test('where Redis threw a part of the queue away the rest goes on', async () => {
  const queue = await freshQueue();
  const redis = await connectRedis(server);
  const prefix = `{test-${prefixes}}`;
  try {
    await queue.enqueue(entry('b1'), 1);
    await queue.enqueue(entry('b2', 'cut'), 1);
    await queue.enqueue(entry('b3', 'named'), 1);
    await queue.enqueue(entry('b4', 'named'), 1);
    await redis.del(`${prefix}:line:cut`);
    await redis.hdel(`${prefix}:state`, 'build:b3');
    assert.equal((await queue.depth()).turn?.waiting, 3, 'without the line that is gone');
    const claimed = [await queue.claim('r1', minute), await queue.claim('r2', minute)];
    assert.deepEqual(claimed.map((one) => one?.build).sort(), ['b1', 'b4']);
    assert.equal(await queue.claim('r3', minute), undefined);
    await redis.del(`${prefix}:leases`);
    assert.equal(await queue.requeue('b1', 'another'), true, 'a holder without a lease');
    await redis.zadd(`${prefix}:leases`, 1, 'b9');
    await queue.forget('b9');
    assert.deepEqual(await queue.expired(), []);
  } finally {
    redis.disconnect();
  }
});

test('a team of the least weight is served, and counts what it was served', async () => {
  const queue = await freshQueue();
  await queue.setTeam('t1', { weight: Number.MIN_VALUE });
  for (const build of ['b1', 'b2']) await queue.enqueue(entry(build), 2);
  for (const holder of ['r1', 'r2']) {
    const build = (await queue.claim(holder, minute))?.build ?? '';
    assert.equal(await queue.finish(build, holder), true);
  }
});
