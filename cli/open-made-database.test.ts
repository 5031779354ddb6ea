import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ebb = fileURLToPath(new URL('ebb', import.meta.url));

test('a command on the database makes none where none is, and says what to set', async (t) => {
  const cwd = await mkdtemp(join(tmpdir(), 'ebb-no-database-'));
  t.after(() => rm(cwd, { recursive: true, force: true }));
  const env = { PATH: process.env.PATH, HOME: cwd };
  const listing = promisify(execFile)(ebb, ['api-key', 'list'], { cwd, env, timeout: 60_000 });
  await assert.rejects(listing, {
    code: 1,
    stderr:
      /There is no database in \.ebb\/data\. Set EBB_DATABASE_URL or EBB_DATA_DIR to what the API has\./,
  });
  assert.deepEqual(await readdir(cwd), []);
});
