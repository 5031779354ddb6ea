import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { FolderInUseError, lockFolder } from './folder-lock.ts';

async function makeFolder(t: { after(run: () => Promise<void>): void }): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'ebb-lock-'));
  t.after(() => rm(root, { recursive: true }));
  return await mkdtemp(join(root, 'folder-'));
}

/** Another process that holds the lock; it ends when it is killed. */
async function holdElsewhere(folder: string) {
  const program = `const { lockFolder } = await import(${JSON.stringify(import.meta.resolve('./folder-lock.ts'))});
    await lockFolder(process.argv[1]).then(() => console.log('held'), (error) => console.log(error.code));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, folder]);
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  return {
    said: said.toString().trim(),
    async kill() {
      child.kill('SIGKILL');
      await once(child, 'close');
    },
  };
}

test('a folder is locked by one process until it lets go', async (t) => {
  const folder = await makeFolder(t);
  const release = await lockFolder(folder);
  await assert.rejects(lockFolder(folder), (error) => {
    assert.ok(error instanceof FolderInUseError);
    assert.match(error.message, new RegExp(`in use by process ${process.pid}`));
    return true;
  });
  await release();
  await (await lockFolder(folder))();
  assert.deepEqual(await readdir(dirname(folder)), [folder.split('/').at(-1)]);
});

test('the lock of a process that was killed counts for nothing', async (t) => {
  const folder = await makeFolder(t);
  const other = await holdElsewhere(folder);
  assert.equal(other.said, 'held');
  await assert.rejects(lockFolder(folder), { code: 'folder_in_use' });
  await other.kill();
  await (await lockFolder(folder))();
});

test('of many that come after a dead one a single one gets the lock', async (t) => {
  const folder = await makeFolder(t);
  await (await holdElsewhere(folder)).kill();
  const others = await Promise.all(Array.from({ length: 12 }, () => holdElsewhere(folder)));
  await Promise.all(others.map((other) => other.kill()));
  const said = others.map((other) => other.said).sort();
  assert.deepEqual(said, [...Array(11).fill('folder_in_use'), 'held']);
});
