import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Client, commit, created, send, signIn } from '../../api/test-client.ts';
import { openTestContext, type TestContext } from '../../api/test-context.ts';
import { connectRedis, type RedisClient } from '../../queue/redis-connection.ts';
import { encodings } from '../encodings.ts';
import { startBuild } from './runner-for-tests.ts';

const random = () => `x${randomBytes(9).toString('hex')}`;
const words = {
  ...{ repository: random(), branch: random(), message: random(), project: random(), connection: random() },
  ...{ secret: random(), environment: random(), command: random(), log: random(), failedCommand: random() },
};
let api: TestContext;
let redis: RedisClient;
let admin: Client;
const ids: Record<string, string> = {};

before(async () => {
  api = await openTestContext();
  redis = await connectRedis({ url: api.redisUrl });
  // In the clear, so that a search sees what is there; and each command as it was given.
  await redis.config('SET', 'rdbcompression', 'no');
  await redis.config('SET', 'appendonly', 'yes');
  admin = await signIn(api, api.keys.admin);
  const folder = await api.createRepository(words.repository);
  ids.commit = await commit(folder, words.branch, words.message);
  const connection = await created(admin, '/v1/connections', { name: words.connection, kind: 'local' });
  const project = await created(admin, '/v1/projects', {
    ...{ name: words.project, connection_id: connection.id, repository: words.repository, concurrency: 2 },
    ...{ test: [words.command], environment: { STAGE: words.environment } },
  });
  await created(admin, '/v1/deploy-keys', { project_id: project.id });
  await created(admin, '/v1/secrets', { project_id: project.id, name: 'TOKEN', value: words.secret });
  for (const name of ['running', 'finished', 'waiting']) {
    const build = { project_id: project.id, branch: words.branch };
    ids[name] = (await created(admin, '/v1/builds', build)).id;
  }
});
after(async () => {
  redis?.disconnect();
  await api?.close();
});

/** Everything that Redis writes: the snapshot of now, and the append-only file of all that was done. */
async function everythingRedisWrites(): Promise<Buffer> {
  await redis.save();
  const [, folder = ''] = (await redis.config('GET', 'dir')) as string[];
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  );
  assert.ok(
    files.some(({ name }) => name.endsWith('.rdb')) && files.some(({ name }) => name.endsWith('.aof')),
  );
  return Buffer.concat(
    await Promise.all(files.map(({ parentPath, name }) => readFile(join(parentPath, name)))),
  );
}

test('what Redis writes holds ids of builds, and nothing of what is built', async () => {
  const runner = await signIn(api, api.keys.runner);
  const { queue } = api.context;
  const waiting = await everythingRedisWrites();
  for (const build of [ids.running, ids.finished])
    assert.equal((await queue.claim(`runner-1/${build}`, 60_000))?.build, build);
  const running = await startBuild(api, runner, ids.running ?? '');
  const finished = await startBuild(api, runner, ids.finished ?? '');
  for (const { specification } of [running, finished]) {
    const log = await send(api, {
      method: 'POST',
      url: `/v1/builds/${specification.build_id}/log?attempt=1&offset=0`,
      headers: {
        authorization: `Bearer ${specification.token}`,
        'content-type': 'application/octet-stream',
      },
      payload: `${words.log}\n`,
    });
    assert.equal(log.status, 204);
  }
  const end = { outcome: 'failed', failed_command: words.failedCommand, exit_code: 1 };
  assert.equal((await finished.report('finish', end)).status, 204);
  const written = Buffer.concat([waiting, await everythingRedisWrites()]);

  for (const id of [ids.waiting, ids.running, ids.finished])
    assert.ok(written.includes(id ?? ''), 'ids are there');
  const tokens = { build: running.specification.token, runner: api.keys.runner, admin: api.keys.admin };
  for (const [name, value] of Object.entries({ ...words, commit: ids.commit ?? '', ...tokens })) {
    for (const needle of encodings(Buffer.from(value))) assert.ok(!written.includes(needle), name);
  }
  assert.doesNotMatch(written.toString('latin1'), /eyJ[\w-]+\./, 'no token and nothing sealed');
});
