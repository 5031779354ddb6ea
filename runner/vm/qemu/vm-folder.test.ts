import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { isAlive, type ProcessIdentity, processIdentity } from '../../../contract/process-identity.ts';
import {
  adoptVmFolder,
  createFolderReaper,
  createVmFolder,
  dropVmFolder,
  ownsVmFolder,
  shareVmFolder,
  writeOwner,
} from './vm-folder.ts';

const deadRunner: ProcessIdentity = { pid: process.pid, startedAt: 'another boot 1' };

describe('the folder of running VMs', () => {
  let parent: string;
  let runtimeDir: string;

  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'ebb-vm-folder-'));
    runtimeDir = join(parent, 'run');
  });
  afterEach(async () => {
    await rm(parent, { recursive: true });
  });

  const startProcess = async () => {
    const child = spawn('sleep', ['600'], { stdio: 'ignore' });
    const exit = once(child, 'exit');
    await once(child, 'spawn');
    return { child, exit, identity: (await processIdentity(child.pid as number)) as ProcessIdentity };
  };
  const writeOrphan = async (id: string, qemu?: ProcessIdentity, tpm?: ProcessIdentity) => {
    await mkdir(join(runtimeDir, id), { recursive: true });
    await writeFile(join(runtimeDir, id, 'owner.json'), JSON.stringify({ runner: deadRunner, qemu, tpm }));
  };

  test('keeps a VM whose runner lives', async () => {
    const { child, exit, identity } = await startProcess();
    try {
      const folder = await createVmFolder(runtimeDir, 'vm_1');
      await writeOwner(folder, { qemu: identity.pid });
      assert.deepEqual(await createFolderReaper(runtimeDir)(), []);
      assert.equal(await isAlive(identity), true);
      assert.deepEqual(JSON.parse(await readFile(join(folder, 'owner.json'), 'utf8')).qemu, identity);
    } finally {
      child.kill('SIGKILL');
      await exit;
    }
  });

  test('tells a runner that another one has taken its VM over', async () => {
    const folder = await createVmFolder(runtimeDir, 'vm_1');
    assert.equal(await ownsVmFolder(folder), true);
    await writeOrphan('vm_1');
    assert.equal(await ownsVmFolder(folder), false);
    assert.equal(await ownsVmFolder(join(runtimeDir, 'vm_gone')), true);
  });

  test('ends a VM whose runner is dead, and removes its folder', async () => {
    const { exit, identity } = await startProcess();
    await writeOrphan('vm_1', identity);
    await writeOrphan('vm_2');
    assert.deepEqual((await createFolderReaper(runtimeDir)()).sort(), ['vm_1', 'vm_2']);
    assert.equal(await isAlive(identity), false);
    await exit;
    assert.deepEqual(await readdir(runtimeDir), []);
  });

  test('ends a TPM that waits for a QEMU which never came', async () => {
    const { exit, identity } = await startProcess();
    await writeOrphan('vm_1', undefined, identity);
    assert.deepEqual(await createFolderReaper(runtimeDir)(), ['vm_1']);
    assert.equal(await isAlive(identity), false);
    await exit;
  });

  test('never ends a process that only has the number of a dead VM', async () => {
    const { child, exit, identity } = await startProcess();
    try {
      await writeOrphan('vm_1', { pid: identity.pid, startedAt: 'another boot 7' });
      assert.deepEqual(await createFolderReaper(runtimeDir)(), ['vm_1']);
      assert.equal(await isAlive(identity), true);
    } finally {
      child.kill('SIGKILL');
      await exit;
    }
  });

  test('a folder that never got an owner is removed, but not while one may be on its way', async () => {
    await mkdir(join(runtimeDir, 'vm_1'), { recursive: true });
    assert.deepEqual(await createFolderReaper(runtimeDir)(), []);
    await utimes(join(runtimeDir, 'vm_1'), 0, 0);
    assert.deepEqual(await createFolderReaper(runtimeDir)(), ['vm_1']);
  });

  test('is none that others may write to, nor a link', async () => {
    await mkdir(runtimeDir);
    await chmod(runtimeDir, 0o777);
    await assert.rejects(createVmFolder(runtimeDir, 'vm_1'), /no other may write to/);
    await symlink(parent, join(parent, 'link'));
    await assert.rejects(createVmFolder(join(parent, 'link'), 'vm_1'), /no other may write to/);
  });

  test('that is not there holds no VMs', async () => {
    assert.deepEqual(await createFolderReaper(join(parent, 'nowhere'))(), []);
  });

  describe('with a VM that was shared', () => {
    let qemu: Awaited<ReturnType<typeof startProcess>>;
    beforeEach(async () => {
      qemu = await startProcess();
    });
    afterEach(async () => {
      qemu.child.kill('SIGKILL');
      await qemu.exit;
    });
    const orphan = async () => {
      await mkdir(join(runtimeDir, 'vm_1'), { recursive: true });
      const owner = { runner: deadRunner, qemu: qemu.identity, shared: true };
      await writeFile(join(runtimeDir, 'vm_1', 'owner.json'), JSON.stringify(owner));
      return join(runtimeDir, 'vm_1');
    };

    test('leaves it for another runner for a while after its runner died, and no longer', async () => {
      await orphan();
      let now = 0;
      const reap = createFolderReaper(runtimeDir, () => now);
      assert.deepEqual(await reap(), []);
      now = 89_000;
      assert.deepEqual(await reap(), []);
      assert.equal(await isAlive(qemu.identity), true);
      now = 90_000;
      assert.deepEqual(await reap(), ['vm_1']);
      assert.equal(await isAlive(qemu.identity), false);
    });

    test('removes what is left of it at once when it has ended', async () => {
      await orphan();
      qemu.child.kill('SIGKILL');
      await qemu.exit;
      assert.deepEqual(await createFolderReaper(runtimeDir)(), ['vm_1']);
    });

    test('keeps it for whoever adopted it', async () => {
      const folder = await orphan();
      assert.deepEqual(await adoptVmFolder(folder), { qemu: qemu.identity });
      let now = 0;
      const reap = createFolderReaper(runtimeDir, () => now);
      assert.deepEqual(await reap(), []);
      now = 200_000;
      assert.deepEqual(await reap(), []);
    });

    test('gives it to nobody once it has ended, and never when it was not shared', async () => {
      const folder = await createVmFolder(runtimeDir, 'vm_2');
      await writeOwner(folder, { qemu: qemu.identity.pid });
      assert.equal(await adoptVmFolder(folder), undefined);
      await shareVmFolder(folder);
      assert.deepEqual(await adoptVmFolder(folder), { qemu: qemu.identity });
      qemu.child.kill('SIGKILL');
      await qemu.exit;
      assert.equal(await adoptVmFolder(folder), undefined);
    });

    test('removes the folder of its own VM and leaves that of another runner', async () => {
      const foreign = await orphan();
      const own = await createVmFolder(runtimeDir, 'vm_2');
      await dropVmFolder(foreign);
      await dropVmFolder(own);
      assert.deepEqual(await readdir(runtimeDir), ['vm_1']);
    });
  });
});
