import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { sampleSecrets } from '../test/platform-for-tests.ts';
import { asShell, loadOrCreatePlatformKeys } from './platform-keys.ts';

test("the platform's keys are made once, for nobody else to read, and a shell takes them", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ebb-platform-keys-'));
  t.after(() => rm(folder, { recursive: true }));
  const [first, second] = await Promise.all([
    loadOrCreatePlatformKeys(folder),
    loadOrCreatePlatformKeys(folder),
  ]);
  assert.deepEqual(first, second);
  assert.deepEqual(
    Object.keys(first.variables).sort(),
    [...Object.keys(sampleSecrets), 'redis_token'].sort(),
  );
  for (const name of await readdir(folder)) {
    assert.equal((await stat(join(folder, name))).mode & 0o077, 0, name);
  }
  const script = `${asShell(first)}\nprintf %s "$TF_VAR_token_key"`;
  const { stdout } = await promisify(execFile)('sh', ['-c', script]);
  assert.equal(stdout, first.variables.token_key);
});
