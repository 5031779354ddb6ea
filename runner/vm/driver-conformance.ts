import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { connect, type SshSession } from '../ssh/connection.ts';
import { publicKeyBlob } from '../ssh/public-key-line.ts';
import type { Vm, VmDriver } from './driver.ts';
import { keepAlive } from './heartbeat.ts';
import { makeSshKeyPair } from './openssh-private-key.ts';
import { judgeOutside } from './outside.ts';
import { judgeRamdiskProof } from './ramdisk-proof.ts';

export interface ConformanceOptions {
  open(): Promise<VmDriver>;
  /** After how many seconds without heartbeat a VM of the test ends; its boot, slow as it may be, must be done by then. */
  forgottenAfterSeconds?: number;
  /** How long a boot is left alone before it is given up, so that it is under way then. */
  givenUpAfterMs?: number;
  /** What is left of a VM outside: processes, files, machines; empty when nothing is. */
  remains(id: string): Promise<string[]>;
}

/** What every VM driver must keep, told as tests. It boots two VMs, one after the other. */
export function describeVmDriver(name: string, options: ConformanceOptions): void {
  const shape = { memoryMib: 1024, cpus: 1 };
  const { forgottenAfterSeconds = 5, givenUpAfterMs = 700 } = options;
  const signal = AbortSignal.timeout(300_000);

  describe(`${name} driver`, () => {
    let driver: VmDriver;
    let vm: Vm;
    let keys: Buffer[];
    let root: SshSession;
    let heartbeat: { stop(): void };

    const logIn = (change: { username?: string; privateKey?: Buffer; hostKey?: Buffer } = {}) =>
      connect({
        host: vm.host,
        port: vm.port,
        username: 'root',
        privateKey: vm.clientKey,
        hostKey: vm.hostKey,
        timeoutMs: 30_000,
        signal,
        ...change,
      });
    const output = async (command: string) => {
      const chunks: Buffer[] = [];
      const { code } = await root.exec(command, { onStdout: (chunk) => void chunks.push(chunk) });
      return { code, text: Buffer.concat(chunks).toString() };
    };

    before(async () => {
      driver = await options.open();
      vm = await driver.launch({ id: 'vm_conformance', ...shape, deadmanSeconds: 60, signal });
      keys = [vm.hostKey, vm.clientKey].map((key) => Buffer.from(key));
      root = await logIn();
      heartbeat = keepAlive(root);
    });
    after(async () => {
      heartbeat?.stop();
      await driver?.close();
      await root?.close();
    });

    test('a VM shows the host key that was made for it, and takes the key that was made for it', async () => {
      const { code, text } = await output('cat /etc/ssh/ssh_host_ed25519_key.pub; id -un');
      assert.equal(code, 0);
      const [key = '', user] = text.trim().split('\n');
      assert.deepEqual(publicKeyBlob(key), vm.hostKey);
      assert.equal(user, 'root');
    });

    test('it takes no other key, and is not taken for another machine', async () => {
      const stranger = makeSshKeyPair();
      await assert.rejects(logIn({ privateKey: stranger.privateKey }), { code: 'auth_failed' });
      await assert.rejects(logIn({ hostKey: stranger.publicBlob }), { code: 'host_key_mismatch' });
    });

    test('it has the memory and processors that were asked for, and proves that it has no disk', async () => {
      const { code, text } = await output('/usr/lib/ebb/ramdisk-proof');
      assert.equal(code, 0);
      const verdict = judgeRamdiskProof(JSON.parse(text));
      assert.ok(verdict.ok, JSON.stringify(verdict));
      const memoryMib = verdict.proof.memory_kib / 1024;
      assert.ok(memoryMib > shape.memoryMib * 0.85 && memoryMib <= shape.memoryMib, `${memoryMib} MiB`);
      assert.equal((await output('nproc')).text.trim(), `${shape.cpus}`);
    });

    test('it is seen from outside to have no disk, and to have booted an image of known digest', async () => {
      const { image, outside } = await vm.observe(signal);
      // What a machine does to its own memory is none of the driver's doing.
      const verdict = judgeOutside(outside, { memoryKib: shape.memoryMib * 1024, hostSwapAllowed: true });
      assert.ok(verdict.ok, JSON.stringify(verdict));
      assert.equal(image.recipe, 'base');
      const digests = Object.values(image.digests);
      assert.ok(digests.length > 0 && digests.every((digest) => /^[0-9a-f]{64}$/.test(digest)));
      assert.ok(vm.launchedAt.getTime() <= Date.now());
    });

    test('a VM of a living runner is not reaped', async () => {
      assert.deepEqual(await driver.reap(), []);
      assert.equal((await output('true')).code, 0);
    });

    test('a destroyed VM leaves nothing: no process, no file, no key', async () => {
      await vm.destroy();
      await vm.exited;
      await vm.destroy();
      assert.deepEqual(await options.remains(vm.id), []);
      const looksWell = vm.observe(signal).then(({ outside }) => judgeOutside(outside, { memoryKib: 0 }).ok);
      assert.equal(await looksWell.catch(() => false), false, 'what is gone passes for nothing');
      assert.ok(vm.clientKey.every((byte) => byte === 0));
    });

    test('the next VM has keys of its own, and ends itself when it no longer hears of its runner', async () => {
      const forgotten = await driver.launch({
        id: 'vm_forgotten',
        ...shape,
        deadmanSeconds: forgottenAfterSeconds,
        signal,
      });
      for (const key of [forgotten.hostKey, forgotten.clientKey])
        assert.ok(!keys.some((known) => known.equals(key)), 'a VM has the key of an earlier one');
      await forgotten.exited;
      await forgotten.destroy();
      assert.deepEqual(await options.remains(forgotten.id), []);
    });

    test('a boot that is given up leaves nothing', async () => {
      const launch = driver.launch({
        id: 'vm_given_up',
        ...shape,
        signal: AbortSignal.timeout(givenUpAfterMs),
      });
      await assert.rejects(launch, { code: 'aborted' });
      assert.deepEqual(await options.remains('vm_given_up'), []);
    });
  });
}
