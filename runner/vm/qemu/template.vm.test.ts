import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connect } from '../../ssh/connection.ts';
import type { Vm, VmDriver } from '../driver.ts';
import { describeVmDriver } from '../driver-conformance.ts';
import { judgeOutside } from '../outside.ts';
import { foundInGuest } from './guest-memory-for-tests.ts';
import { createQemuDriver } from './qemu-driver.ts';
import { cacheDir, machinesOf, openPlace, openWithTemplate, shape } from './template-for-tests.ts';
import type { TemplateEvent } from './templates.ts';

const signal = AbortSignal.timeout(20 * 60_000);
let place: Awaited<ReturnType<typeof openPlace>>;

before(async () => {
  place = await openPlace();
});
after(async () => {
  await place?.close();
});

describeVmDriver('QEMU from a template', {
  open: () => openWithTemplate(place),
  givenUpAfterMs: 100,
  async remains(id) {
    const processes = (await machinesOf(process.pid, 'restored')).map((number) => `process ${number}`);
    return [...processes, ...(await place.folders()).filter((name) => name === id)];
  },
});

interface Shown {
  lateMs: number;
  pid: number;
  /** What must not be the same in two VMs. */
  own: Record<'random' | 'boot' | 'ports' | 'layout' | 'key', string>;
}

// The ports that TCP picks come of the secret that its sequence numbers come of.
const questions = [
  ...['date +%s.%N', 'head -c 32 /dev/urandom | base64', 'cat /proc/sys/kernel/random/boot_id'],
  'exec 3<> /dev/tcp/127.0.0.1/22 4<> /dev/tcp/127.0.0.2/22',
  `echo $(awk '$3 ~ /:0016$/ { print $2 }' /proc/net/tcp | sort)`,
  ...["echo $(grep -E 'stack|vdso|libc' /proc/self/maps)", 'sed -n 3p /etc/ssh/ssh_host_ed25519_key'],
];

async function ask(vm: Vm): Promise<Shown> {
  const { host, port, hostKey, clientKey: privateKey } = vm;
  const session = await connect({
    host,
    port,
    hostKey,
    privateKey,
    username: 'root',
    timeoutMs: 60_000,
    signal,
  });
  const asked = Date.now();
  const said: Buffer[] = [];
  await session.exec(questions.join('\n'), { onStdout: (chunk) => void said.push(chunk) });
  const answered = Date.now();
  await session.close();
  const lines = Buffer.concat(said).toString().trim().split('\n');
  const [time, random = '', boot = '', ports = '', layout = '', key = ''] = lines;
  const told = Number(time) * 1000;
  const owner = JSON.parse(await readFile(join(place.runtimeDir, vm.id, 'owner.json'), 'utf8'));
  const lateMs = Math.max(0, asked - told, told - answered);
  return { lateMs, pid: owner.qemu.pid, own: { random, boot, ports, layout, key } };
}

describe('VMs that go on from one template', () => {
  const events: TemplateEvent[] = [];
  let driver: VmDriver;
  before(async () => {
    driver = await openWithTemplate(place, events);
  });
  after(async () => {
    await driver?.close();
  });

  test('share no key, random number, boot id, port or layout, have the right time, and nothing of one another', async () => {
    const vms: Vm[] = [];
    for (const id of ['vm_one', 'vm_other'])
      vms.push(await driver.launch({ id, ...shape, deadmanSeconds: 200, signal }));
    const [one, other] = vms as [Vm, Vm];
    const [ofOne, ofOther] = [await ask(one), await ask(other)];
    for (const { lateMs, own } of [ofOne, ofOther]) {
      assert.ok(lateMs < 2_000, `its clock is ${lateMs} ms off`);
      assert.ok(
        Object.values(own).every((value) => value.length > 10),
        JSON.stringify(own),
      );
    }
    for (const [name, value] of Object.entries(ofOne.own))
      assert.notEqual(value, ofOther.own[name as keyof Shown['own']], name);

    const { template, outside } = await one.observe(signal);
    assert.match(template?.sha256 ?? '', /^[0-9a-f]{64}$/);
    assert.deepEqual((await other.observe(signal)).template, template);
    const verdict = judgeOutside(outside, { memoryKib: shape.memoryMib * 1024, hostSwapAllowed: true });
    assert.ok(verdict.ok, JSON.stringify(verdict));
    assert.deepEqual(await readdir(join(place.runtimeDir, one.id)), ['owner.json']);

    const keysOf = (vm: Vm, { own }: Shown) =>
      [own.key, vm.hostKey.toString('base64')].map((text) => Buffer.from(text));
    assert.deepEqual(await foundInGuest(ofOne.pid, keysOf(one, ofOne)), [true, true]);
    assert.deepEqual(await foundInGuest(ofOther.pid, keysOf(one, ofOne)), [false, false]);
    assert.deepEqual(await foundInGuest(ofOne.pid, keysOf(other, ofOther)), [false, false]);
    await Promise.all(vms.map((vm) => vm.destroy()));
  });

  test('boot instead when one does not go on, and the template is made anew', async () => {
    const launch = driver.launch({ id: 'vm_again', ...shape, signal });
    let restored: number[] = [];
    while (restored.length === 0) {
      restored = await machinesOf(process.pid, 'restored');
      await delay(10);
    }
    process.kill(restored[0] as number, 'SIGKILL');
    const vm = await launch;
    assert.equal((await vm.observe(signal)).template, undefined);
    await vm.destroy();
    while (events.length < 3) await delay(50, undefined, { signal });
    assert.deepEqual(
      events.map(({ type }) => type),
      ['made', 'dropped', 'made'],
    );
    const next = await driver.launch({ id: 'vm_next', ...shape, signal });
    assert.ok((await next.observe(signal)).template);
    await driver.close();
    assert.deepEqual(await place.folders(), []);
    assert.deepEqual(await machinesOf(process.pid, 'restored'), []);
  });
});

test('a VM and a template that is being made are ended by the next runner when theirs was killed', async () => {
  const { image, runtimeDir } = place;
  const script = fileURLToPath(import.meta.resolve('./launch-for-tests.ts'));
  const runner = spawn(process.execPath, [script, runtimeDir, cacheDir, 'vm_orphan'], { stdio: 'ignore' });
  const exit = once(runner, 'exit');
  const isMaking = async () => (await place.folders()).some((name) => name.startsWith('template_'));
  while (!(await isMaking()) || (await machinesOf(runner.pid as number, 'booted')).length < 2) {
    assert.equal(runner.exitCode, null, 'the runner ended by itself');
    await delay(50);
  }
  const machines = await machinesOf(runner.pid as number, 'booted');
  const driver = createQemuDriver({ image, runtimeDir, cacheDir });
  assert.deepEqual(await driver.reap(), []);
  runner.kill('SIGKILL');
  await exit;
  assert.deepEqual(await driver.reap(), ['vm_orphan']);
  assert.deepEqual(await place.folders(), []);
  for (const number of machines)
    assert.equal(await readFile(`/proc/${number}/cmdline`, 'utf8').catch(() => ''), '');
});
