import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  AttachVolumeCommand,
  CreateVolumeCommand,
  DescribeInstancesCommand,
  DescribeVolumesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { readCpio } from '../../image/cpio-for-tests.ts';
import { connect } from '../../ssh/connection.ts';
import { publicKeyBlob } from '../../ssh/public-key-line.ts';
import type { VmLaunch } from '../driver.ts';
import { judgeOutside } from '../outside.ts';
import { type Ec2Rig, openEc2Rig } from './ec2-rig-for-tests.ts';
import type { Fault } from './fault-proxy.ts';

describe('the EC2 driver', () => {
  let rig: Ec2Rig;
  let count = 0;
  before(async () => {
    rig = await openEc2Rig();
  });
  after(() => rig?.close());

  const launchOf = (change: Partial<VmLaunch> = {}): VmLaunch => ({
    id: `vm_${++count}`,
    memoryMib: 2048,
    cpus: 1,
    signal: AbortSignal.timeout(20_000),
    ...change,
  });
  /** Each of these faults once, for calls of one action; then none. */
  const faults =
    (action: string, ...list: Fault[]) =>
    (asked: string) =>
      asked === action ? (list.shift() ?? 'none') : 'none';

  test('launches one instance with every setting that the promises need', async () => {
    const { driver } = await rig.openDriver({ deployment: 'settings' });
    const vm = await driver.launch(launchOf());
    const [instance, ...others] = await rig.instances('settings');
    assert.equal(others.length, 0);
    assert.equal(instance?.tags['ebb:vm'], vm.id);
    assert.equal(instance?.tags['ebb:runner'], 'runner-1');
    assert.equal(vm.driver, 'ec2');
    await driver.close();
    assert.deepEqual(await rig.alive('settings'), []);
  });

  test('launches the image that is asked for, and says what to do when there is none', async () => {
    const images = { node: rig.moto.otherImageId };
    const { driver } = await rig.openDriver({ deployment: 'images', images });
    await driver.launch({ ...launchOf(), recipe: 'node' });
    const { Reservations = [] } = await rig.moto.client.send(
      new DescribeInstancesCommand({ Filters: [{ Name: 'tag:ebb:deployment', Values: ['images'] }] }),
    );
    assert.equal(Reservations[0]?.Instances?.[0]?.ImageId, rig.moto.otherImageId);
    await assert.rejects(
      driver.launch({ ...launchOf(), recipe: 'rust' }),
      /no image rust.*ebb image publish rust.*EBB_EC2_IMAGES/,
    );
  });

  test('leaves nothing in the user data that opens the VM afterwards', async () => {
    const { driver } = await rig.openDriver({ deployment: 'secrets' });
    const vm = await driver.launch(launchOf());
    const [instance] = await rig.instances('secrets');
    const files = readCpio(await rig.moto.userData(instance?.id ?? ''));
    assert.equal(files.get('ebb-identity/deadman'), '60\n');
    const bootKey = publicKeyBlob(files.get('ebb-identity/ssh_host_ed25519_key.pub') ?? '');
    assert.notDeepEqual(vm.hostKey, bootKey);
    for (const text of files.values()) assert.ok(!text.includes(vm.clientKey.toString().slice(-120, -60)));
    const given = {
      host: vm.host,
      port: vm.port,
      username: 'root',
      privateKey: vm.clientKey,
      timeoutMs: 5_000,
    };
    await assert.rejects(connect({ ...given, hostKey: bootKey }), { code: 'host_key_mismatch' });
    const session = await connect({ ...given, hostKey: vm.hostKey });
    await session.close();
  });

  test('closes the metadata service before the VM is handed out', async () => {
    const { driver, proxy } = await rig.openDriver({ deployment: 'metadata' });
    await driver.launch(launchOf());
    assert.ok(proxy.calls.includes('ModifyInstanceMetadataOptions'));
  });

  test('tells from outside which image an instance booted, and that a volume was attached to it', async () => {
    const { driver } = await rig.openDriver({ deployment: 'outside' });
    const vm = await driver.launch(launchOf());
    const before = await vm.observe(AbortSignal.timeout(10_000));
    assert.deepEqual(before.image, { recipe: 'base', digests: { disk: 'a'.repeat(64) } });
    assert.deepEqual(judgeOutside(before.outside, { memoryKib: 0 }), { ok: true, seen: before.outside });
    const [instance] = await rig.instances('outside');
    const { Volumes = [] } = await rig.moto.client.send(new DescribeVolumesCommand({}));
    const AvailabilityZone = Volumes.find(({ Attachments = [] }) =>
      Attachments.some(({ InstanceId }) => InstanceId === instance?.id),
    )?.AvailabilityZone;
    const { VolumeId } = await rig.moto.client.send(new CreateVolumeCommand({ AvailabilityZone, Size: 1 }));
    const attach = { VolumeId, InstanceId: instance?.id, Device: '/dev/sdf' };
    await rig.moto.client.send(new AttachVolumeCommand(attach));
    const after = judgeOutside((await vm.observe(AbortSignal.timeout(10_000))).outside, { memoryKib: 0 });
    assert.ok(!after.ok);
    assert.deepEqual(after.violations, ['the block device /dev/sdf is attached besides the root device']);
    await driver.close();
  });

  test('goes to the next place when one has no room', async () => {
    const waits: string[] = [];
    const { driver } = await rig.openDriver({
      deployment: 'capacity',
      fault: faults('RunInstances', 'capacity', 'capacity'),
    });
    await driver.launch(launchOf({ onWait: (reason) => waits.push(reason) }));
    assert.equal((await rig.instances('capacity')).length, 1);
    assert.deepEqual(waits, []);
  });

  test('tells that it waits when there is no room anywhere, and is given up cleanly', async () => {
    const stop = new AbortController();
    const { driver } = await rig.openDriver({
      deployment: 'full',
      fault: (action) => (action === 'RunInstances' ? 'capacity' : 'none'),
    });
    const reason = Promise.withResolvers<string>();
    const launched = driver.launch(launchOf({ signal: stop.signal, onWait: reason.resolve }));
    assert.match(
      await reason.promise,
      /no capacity for \d instance types? \(.+\) in the zones of \d subnets? \(subnet-.+\); next try in 1[45] s\./,
    );
    stop.abort();
    await assert.rejects(launched, { code: 'aborted' });
    assert.deepEqual(await rig.instances('full'), []);
  });

  test('launches no second instance when the answer to the first was lost', async () => {
    for (const fault of ['drop_after', 'truncate', 'hang', 'reset_before', 'internal_error'] as const) {
      const deployment = `lost-${fault}`;
      const list: Fault[] = Array(5).fill(fault);
      const { driver } = await rig.openDriver({ deployment, fault: faults('RunInstances', ...list) });
      await driver.launch(launchOf());
      assert.equal((await rig.instances(deployment)).length, 1, fault);
      await driver.close();
      assert.deepEqual(await rig.alive(deployment), [], fault);
    }
  });

  test('launches no second instance when an attempt was lost and the next one throttled', async () => {
    const { driver } = await rig.openDriver({
      deployment: 'lost-throttled',
      fault: faults('RunInstances', 'drop_after', 'throttle', 'throttle', 'throttle'),
    });
    await driver.launch(launchOf());
    assert.equal((await rig.instances('lost-throttled')).length, 1);
  });

  test('ends an instance that was launched although the answer never came and the build gave up', async () => {
    const stop = new AbortController();
    const { driver } = await rig.openDriver({
      deployment: 'given-up',
      fault: (action) => {
        if (action === 'RunInstances') setTimeout(() => stop.abort(), 200);
        return action === 'RunInstances' ? 'drop_after' : 'none';
      },
    });
    await assert.rejects(driver.launch(launchOf({ signal: stop.signal })));
    assert.deepEqual(await rig.alive('given-up'), []);
  });

  test('refuses at once what trying again does not mend, and names the setting', async () => {
    const cases = [
      ['no_template', /InvalidLaunchTemplateId.NotFound.*Check EBB_EC2_LAUNCH_TEMPLATE/],
      ['no_subnet', /Check EBB_EC2_SUBNETS/],
      ['unauthorized', /UnauthorizedOperation.*Allow it to the runner's role/],
      ['expired', /ExpiredToken.*Check the runner's AWS credentials/],
    ] as const;
    for (const [fault, message] of cases) {
      const { driver } = await rig.openDriver({
        deployment: 'refused',
        fault: (action) => (action === 'RunInstances' ? fault : 'none'),
      });
      await assert.rejects(driver.launch(launchOf()), message);
    }
    const { driver } = await rig.openDriver({ deployment: 'too-large' });
    await assert.rejects(
      driver.launch(launchOf({ memoryMib: 999_999 })),
      /EBB_EC2_INSTANCE_TYPES.*memory_mib/,
    );
  });

  test('an instance that does not answer in time is ended, with its console in the error', async () => {
    const { driver } = await rig.openDriver({
      deployment: 'silent',
      bootTimeoutMs: 300,
      reach: () => undefined,
    });
    await assert.rejects(driver.launch(launchOf()), { code: 'boot_timeout' });
    assert.deepEqual(await rig.alive('silent'), []);
  });

  test('a VM that EC2 takes away has exited', async () => {
    const { driver } = await rig.openDriver({ deployment: 'spot' });
    const vm = await driver.launch(launchOf());
    const [instance] = await rig.instances('spot');
    await rig.moto.client.send(new TerminateInstancesCommand({ InstanceIds: [instance?.id ?? ''] }));
    await vm.exited;
    assert.ok(vm.clientKey.every((byte) => byte === 0));
  });

  test('destroying is repeated until EC2 has ended the instance', async () => {
    const { driver } = await rig.openDriver({
      deployment: 'stubborn',
      fault: faults('TerminateInstances', 'reset_before', 'throttle', 'internal_error', 'hang'),
    });
    const vm = await driver.launch(launchOf());
    await vm.destroy();
    await vm.destroy();
    assert.deepEqual(await rig.alive('stubborn'), []);
  });
});

describe('the reaper of the EC2 driver', () => {
  let rig: Ec2Rig;
  before(async () => {
    rig = await openEc2Rig();
  });
  after(() => rig?.close());
  const launch = (id: string): VmLaunch => ({
    id,
    memoryMib: 2048,
    cpus: 1,
    signal: AbortSignal.timeout(20_000),
  });

  test('ends what a dead runner left, and nothing of one that lives', async () => {
    const dead = await rig.openDriver({ deployment: 'reap', runner: 'dead' });
    const alive = await rig.openDriver({ deployment: 'reap', runner: 'alive' });
    await dead.driver.launch(launch('vm_dead'));
    await alive.driver.launch(launch('vm_alive'));
    const reaper = await rig.openDriver({
      deployment: 'reap',
      runner: 'reaper',
      isAlive: async (runner) => runner === 'alive',
    });
    assert.deepEqual(await reaper.driver.reap(), ['vm_dead']);
    assert.deepEqual(await rig.alive('reap'), ['vm_alive']);
  });

  test('ends the others, too, when one may not be ended', async () => {
    const dead = await rig.openDriver({ deployment: 'protected', runner: 'dead' });
    for (const id of ['vm_a', 'vm_b']) await dead.driver.launch(launch(id));
    let refused = 0;
    const reaper = await rig.openDriver({
      ...{ deployment: 'protected', runner: 'reaper', isAlive: async () => false },
      fault: (action) => (action === 'TerminateInstances' && refused++ === 0 ? 'unauthorized' : 'none'),
    });
    assert.equal((await reaper.driver.reap()).length, 1);
    const left = await rig.alive('protected');
    assert.equal(left.length, 1);
    refused = 0;
    await assert.rejects(reaper.driver.reap(), /UnauthorizedOperation/, 'nothing but a refusal is told');
    assert.deepEqual(await reaper.driver.reap(), left);
  });

  test('ends its own runner instances that it knows nothing of', async () => {
    const before = await rig.openDriver({ deployment: 'restart' });
    await before.driver.launch(launch('vm_before'));
    const now = await rig.openDriver({ deployment: 'restart' });
    await now.driver.launch(launch('vm_now'));
    assert.deepEqual(await now.driver.reap(), ['vm_before']);
    assert.deepEqual(await rig.alive('restart'), ['vm_now']);
  });

  test('leaves young instances, other deployments, and everything while nobody knows who lives', async () => {
    const owner = await rig.openDriver({ deployment: 'young', runner: 'owner' });
    await owner.driver.launch(launch('vm_young'));
    const dead = { runner: 'reaper', isAlive: async () => false };
    const patient = await rig.openDriver({ deployment: 'young', graceMs: 60_000, ...dead });
    const elsewhere = await rig.openDriver({ deployment: 'elsewhere', ...dead });
    assert.deepEqual(await patient.driver.reap(), []);
    assert.deepEqual(await elsewhere.driver.reap(), []);
    const ignorant = await rig.openDriver({
      deployment: 'young',
      runner: 'reaper',
      isAlive: () => Promise.reject(new Error('Redis does not answer.')),
    });
    await assert.rejects(ignorant.driver.reap(), /Redis does not answer/);
    assert.deepEqual(await rig.alive('young'), ['vm_young']);
  });
});
