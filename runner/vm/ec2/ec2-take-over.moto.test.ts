import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TerminateInstancesCommand } from '@aws-sdk/client-ec2';
import { connect } from '../../ssh/connection.ts';
import type { Vm } from '../driver.ts';
import { decodeVmHandle, encodeVmHandle, type VmHandle } from '../vm-handle.ts';
import { type Ec2Rig, openEc2Rig } from './ec2-rig-for-tests.ts';
import type { Fault } from './fault-proxy.ts';

type Change = Parameters<Ec2Rig['openDriver']>[0];

describe('a VM of EC2 that was shared', () => {
  let rig: Ec2Rig;
  before(async () => {
    rig = await openEc2Rig();
  });
  after(() => rig?.close());

  /** What its runner leaves of a VM, as it comes to another one. */
  const handleOf = async (vm: Vm): Promise<VmHandle> => {
    const { image } = await vm.observe(AbortSignal.timeout(10_000));
    return decodeVmHandle(encodeVmHandle(vm, image));
  };
  const launch = async (change: Change & { deployment: string }, id = 'vm_1') => {
    const { driver } = await rig.openDriver({ runner: 'dead', ...change });
    const signal = AbortSignal.timeout(20_000);
    return { driver, vm: await driver.launch({ id, memoryMib: 2048, cpus: 1, signal }) };
  };
  /** A VM that a runner shared before it died, and what it left. */
  const orphan = async (deployment: string) => {
    const { driver, vm } = await launch({ deployment });
    await vm.share?.();
    return { driver, vm, handle: await handleOf(vm) };
  };
  const open = async (deployment: string, runner: string, change: Change = {}) => {
    const { driver } = await rig.openDriver({
      ...{ deployment, runner, isAlive: async (name) => name !== 'dead' },
      ...change,
    });
    const adopt = (handle: VmHandle): Promise<Vm> => driver.adopt?.(handle) ?? assert.fail();
    return { ...driver, adopt };
  };
  const terminate = async (deployment: string) => {
    const [{ id = '' } = {}] = await rig.instances(deployment);
    await rig.moto.client.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
  };
  const ownerOf = async (deployment: string) => (await rig.instances(deployment))[0]?.tags['ebb:runner'];

  test('goes on with the runner that adopts it, is seen from outside, and is destroyed by that one', async () => {
    const { handle } = await orphan('adopted');
    const adopter = await open('adopted', 'adopter');
    const vm = await adopter.adopt(handle);
    assert.equal(await ownerOf('adopted'), 'adopter');
    const signal = AbortSignal.timeout(10_000);
    const { host, port, hostKey, clientKey: privateKey } = vm;
    const session = await connect({ host, port, hostKey, privateKey, username: 'root', timeoutMs: 5_000 });
    await session.close();
    const { image, outside } = await vm.observe(signal);
    assert.deepEqual([image, outside.kind], [handle.image, 'ec2']);
    await vm.destroy();
    assert.equal((await vm.exited).signal, 'SIGKILL');
    assert.ok(vm.clientKey.every((byte) => byte === 0));
    assert.deepEqual(await rig.alive('adopted'), []);
  });

  test('is adopted although calls and answers are lost', async () => {
    const { handle } = await orphan('lossy');
    const lost: Fault[] = ['throttle', 'drop_after', 'internal_error', 'reset_before', 'truncate'];
    const ahead = { CreateTags: [...lost], DescribeInstances: [...lost] };
    const adopter = await open('lossy', 'adopter', {
      fault: (action) => (action in ahead && ahead[action as keyof typeof ahead].shift()) || 'none',
    });
    await adopter.adopt(handle);
    assert.equal(await ownerOf('lossy'), 'adopter');
  });

  test('can be adopted again, and again by the runner that has it', async () => {
    const { handle } = await orphan('thrice');
    const copy = () => ({ ...handle, clientKey: Buffer.from(handle.clientKey) });
    await (await open('thrice', 'second')).adopt(copy());
    let time = 0;
    const third = await open('thrice', 'third', { monotonicMs: () => time });
    const before = await third.adopt(copy());
    const now = await third.adopt(copy());
    await before.release?.();
    assert.deepEqual(await third.reap(), []);
    time = 200_000;
    assert.deepEqual(await third.reap(), []);
    assert.equal(await ownerOf('thrice'), 'third');
    await now.destroy();
    assert.deepEqual(await rig.alive('thrice'), []);
  });

  test('is lost to whoever adopted it when EC2 takes it away', async () => {
    const { handle } = await orphan('spot');
    const vm = await (await open('spot', 'adopter')).adopt(handle);
    await terminate('spot');
    await vm.exited;
    assert.ok(vm.clientKey.every((byte) => byte === 0));
  });

  test('is not there for who comes too late, nor for anybody when it was not shared', async () => {
    const { handle } = await orphan('late');
    await terminate('late');
    const adopter = await open('late', 'adopter');
    await assert.rejects(adopter.adopt(handle), { code: 'gone', message: /vm_1 is not there any more/ });
    assert.ok(handle.clientKey.every((byte) => byte === 0));
    const { vm } = await launch({ deployment: 'not-shared' });
    const other = await open('not-shared', 'adopter');
    await assert.rejects(other.adopt(await handleOf(vm)), { code: 'gone' });
    assert.equal(await ownerOf('not-shared'), 'dead');
  });

  test('is not adopted when it has another address than it was shared with', async () => {
    const { handle } = await orphan('moved');
    const adopter = await open('moved', 'adopter');
    const elsewhere = { ...handle, port: handle.port - 1 };
    await assert.rejects(adopter.adopt(elsewhere), { code: 'gone', message: /address/ });
    assert.equal(await ownerOf('moved'), 'dead');
  });

  test('is adopted from the place of its runner, by runners of its deployment and region alone', async () => {
    const placeOf = async (change: Change) => await (await rig.openDriver(change)).driver.place?.();
    const here = await placeOf({ deployment: 'a', runner: '1' });
    assert.equal(await placeOf({ deployment: 'a', runner: '2' }), here);
    assert.notEqual(await placeOf({ deployment: 'b', runner: '1' }), here);
    assert.notEqual(await placeOf({ deployment: 'a', region: 'eu-west-1' }), here);
  });

  test('is left alone by its runner once that let go of it, takes no room of it, also when that closes', async () => {
    const { driver, vm } = await orphan('released');
    await vm.release?.();
    await vm.exited;
    assert.ok(vm.clientKey.every((byte) => byte === 0));
    await driver.close();
    assert.deepEqual(await rig.alive('released'), ['vm_1']);
  });

  test('ends with its runner that closes and did not let go of it', async () => {
    const { driver } = await orphan('closed');
    await driver.close();
    assert.deepEqual(await rig.alive('closed'), []);
  });

  test('is not ended by its first runner that comes back after another one adopted it', async () => {
    const { driver, vm, handle } = await orphan('back');
    await (await open('back', 'adopter')).adopt(handle);
    await vm.destroy();
    assert.ok(vm.clientKey.every((byte) => byte === 0));
    await driver.close();
    assert.deepEqual(await rig.alive('back'), ['vm_1']);
  });

  test('is left by reapers for a while after its runner was last there, and no longer', async () => {
    await orphan('patience');
    let now = 1_000_000;
    let alive = true;
    const reaper = await open('patience', 'reaper', {
      monotonicMs: () => now,
      isAlive: async () => alive,
    });
    assert.deepEqual(await reaper.reap(), []);
    alive = false;
    now += 200_000;
    assert.deepEqual(await reaper.reap(), []);
    now += 89_000;
    assert.deepEqual(await reaper.reap(), []);
    assert.deepEqual(await rig.alive('patience'), ['vm_1']);
    now += 1_000;
    assert.deepEqual(await reaper.reap(), ['vm_1']);
    assert.deepEqual(await rig.alive('patience'), []);
  });

  test('has the whole while again when the runner that adopted it dies, too', async () => {
    const { handle } = await orphan('two-deaths');
    let now = 0;
    const reaper = await open('two-deaths', 'reaper', { monotonicMs: () => now, isAlive: async () => false });
    assert.deepEqual(await reaper.reap(), []);
    now = 80_000;
    await (await open('two-deaths', 'adopter')).adopt(handle);
    now = 100_000;
    assert.deepEqual(await reaper.reap(), []);
    now = 190_000;
    assert.deepEqual(await reaper.reap(), ['vm_1']);
  });

  test('is not ended by a reaper that found it before it was adopted', async () => {
    const { handle } = await orphan('race');
    const adopter = await open('race', 'adopter');
    let now = 0;
    let meanwhile = async () => {};
    const reaper = await open('race', 'reaper', {
      monotonicMs: () => now,
      async isAlive(runner) {
        await meanwhile();
        return runner !== 'dead';
      },
    });
    assert.deepEqual(await reaper.reap(), []);
    now = 90_000;
    meanwhile = async () => {
      meanwhile = async () => {};
      await adopter.adopt(handle);
    };
    assert.deepEqual(await reaper.reap(), []);
    assert.deepEqual(await rig.alive('race'), ['vm_1']);
  });

  test('is not ended by the reaper of the runner that is adopting it', async () => {
    const { handle } = await orphan('own-race');
    let now = 0;
    const adopter = await open('own-race', 'adopter', { monotonicMs: () => now });
    assert.deepEqual(await adopter.reap(), []);
    now = 90_000;
    const adopting = adopter.adopt(handle);
    assert.deepEqual(await adopter.reap(), []);
    await adopting;
    assert.deepEqual(await rig.alive('own-race'), ['vm_1']);
  });
});
