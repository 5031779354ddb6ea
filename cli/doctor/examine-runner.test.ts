import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { freePort } from '../../queue/free-port.ts';
import { digestOf } from '../../runner/image/digest.ts';
import { base } from '../../runner/image/recipes.ts';
import { codesOf, fileOf, folderFor, redisWith, soundMachine } from './doctor-for-tests.ts';
import { examineRunner } from './examine-runner.ts';

/** A server in place of the API that answers with this status and time. */
async function apiAt(t: TestContext, date: Date, status = 200): Promise<string> {
  const server = createServer((_request, response) => {
    response.writeHead(status, { date: date.toUTCString() }).end('{}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A runner where nothing is left open; changes are to variables. */
async function runnerOf(t: TestContext, changes: NodeJS.ProcessEnv = {}): Promise<NodeJS.ProcessEnv> {
  const folder = await folderFor(t);
  const port = await redisWith(t, ['requirepass right', 'appendonly yes', 'maxmemory-policy noeviction']);
  return {
    EBB_API_URL: await apiAt(t, new Date()),
    EBB_RUNNER_KEY_FILE: await fileOf(folder, 'runner.key', `ebb_${'a'.repeat(43)}`),
    EBB_REDIS_URL_FILE: await fileOf(folder, 'redis-url', `redis://:right@127.0.0.1:${port}`),
    EBB_KEY_ENCRYPTION_KEY_FILE: await fileOf(folder, 'key-encryption-key.json', '{}'),
    EBB_CACHE_DIR: join(folder, 'cache'),
    ...changes,
  };
}

const options = { machine: soundMachine };
const codes = async (environment: NodeJS.ProcessEnv, given = options) =>
  codesOf(await examineRunner(environment, given));

test('a runner where nothing is left open has no finding', async (t) => {
  assert.deepEqual(await examineRunner(await runnerOf(t), options), []);
});

test("a clock that differs from the API's, and an API that is not there, are found", async (t) => {
  const environment = await runnerOf(t);
  const at = async (EBB_API_URL: string) => await codes({ ...environment, EBB_API_URL });
  assert.deepEqual(await at(await apiAt(t, new Date(Date.now() - 3600_000))), ['clock_is_off']);
  assert.deepEqual(await at(await apiAt(t, new Date(), 404)), ['api_unreachable']);
  assert.deepEqual(await at(`http://127.0.0.1:${await freePort()}`), ['api_unreachable']);
});

test('a folder of running VMs on a disk is found', async (t) => {
  const folder = await folderFor(t, '/var/tmp');
  const environment = await runnerOf(t, { EBB_RUNTIME_DIR: join(folder, 'not', 'made', 'yet') });
  assert.deepEqual(await codes(environment), ['runtime_folder_on_disk']);
  assert.deepEqual(await readdir(folder), []);
});

test('swap is found to refuse builds, or to be allowed', async (t) => {
  const environment = await runnerOf(t);
  const readSwaps = async () => 'Filename\tType\n/swapfile\tfile\n';
  const swapping = { machine: { ...soundMachine, readSwaps } };
  const allowing = { ...environment, EBB_ALLOW_HOST_SWAP: 'true' };
  assert.deepEqual(await codes(environment, swapping), ['builds_refused_for_swap', 'machine_swaps']);
  assert.deepEqual(await codes(allowing, swapping), ['swap_is_allowed', 'machine_swaps']);
  assert.deepEqual(await codes(allowing), ['swap_is_allowed']);
});

test('measured boot that is off and older keys that are left are found', async (t) => {
  const older = await fileOf(await folderFor(t), 'older.json', '{}', 0o644);
  const environment = await runnerOf(t, { EBB_QEMU_MEASURED_BOOT: 'off', EBB_OLDER_KEYS: older });
  assert.deepEqual(await codes(environment), [
    'secret_file_open_to_others',
    'measured_boot_off',
    'older_keys_left',
  ]);
});

test('an image older than a month is found', async (t) => {
  const environment = await runnerOf(t);
  const images = join(environment.EBB_CACHE_DIR ?? '', 'images');
  const sources = join(import.meta.dirname, '..', '..', 'runner', 'image');
  const script = await readFile(join(sources, 'assemble.sh'), 'utf8');
  const image = join(images, await digestOf({ recipe: base, script, folder: join(sources, 'files') }));
  await mkdir(image, { recursive: true });
  const complete = join(image, 'complete');
  await writeFile(complete, 'base\n');
  assert.deepEqual(await codes(environment), []);
  const then = new Date(Date.now() - 45 * 24 * 3600_000);
  await utimes(complete, then, then);
  const [found] = await examineRunner(environment, options);
  assert.match(found?.what ?? '', /was built 45 days ago/);
});

test('what ebb runner refuses to start with is found, and the machine is looked at all the same', async (t) => {
  const environment = await runnerOf(t, { EBB_API_URL: 'http://ebb.example.com' });
  const found = await examineRunner(environment, { machine: { ...soundMachine, userId: 0 } });
  assert.deepEqual(codesOf(found), ['configuration_invalid', 'runs_as_root']);
  assert.match(found[0]?.what ?? '', /EBB_API_URL goes to ebb.example.com without TLS/);
});
