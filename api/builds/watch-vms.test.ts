import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { openSetting, type Setting } from '../revocation/test-setting.ts';
import { insertBuild } from './insert-build.ts';
import { endVmUse, useVm } from './use-vm.ts';
import { createVmWatch } from './watch-vms.ts';

let setting: Setting;
let build: string;
let vm: string;
let monotonicMs: number;
let watch: () => Promise<void>;
let count = 0;

before(async () => {
  setting = await openSetting();
});
after(() => setting.close());
beforeEach(async () => {
  const name = `shop-${++count}`;
  const team = await setting.addTeam(name);
  const projectId = await setting.addProject(team, name);
  const of = { projectId, teamId: team.id, ref: 'refs/heads/main', branch: 'main', commit: 'a'.repeat(40) };
  const { id } = await setting.context.database
    .transaction()
    .execute((inside) => insertBuild(inside, { ...of, message: 'x', trigger: 'api' }, new Date()));
  build = id;
  vm = `vm_${count}`;
  monotonicMs = 1_000;
  const watchVms = createVmWatch(() => monotonicMs);
  watch = () => watchVms(setting.context);
  await useVm(setting.context, { vm, build, attempt: 1 });
  await set({ attempt: 1, state: 'running' });
});

const set = (values: object) =>
  setting.context.database.updateTable('build').set(values).where('id', '=', build).execute();
async function isLeft(): Promise<boolean> {
  const { left_at } = await setting.context.database
    .selectFrom('vm_use')
    .select('left_at')
    .where('vm', '=', vm)
    .executeTakeFirstOrThrow();
  return left_at !== null;
}
/** Looks now, and again after so many seconds. */
async function watchFor(seconds: number): Promise<boolean> {
  await watch();
  monotonicMs += seconds * 1_000;
  await watch();
  return await isLeft();
}

test('a VM whose attempt is over is left when it was waited for until it must have ended itself', async () => {
  await set({ state: 'cancelled', finished_at: new Date() });
  assert.equal(await watchFor(89), false);
  monotonicMs += 1_000;
  await watch();
  assert.equal(await isLeft(), true);
});

test('a wall clock that jumps ahead makes no VM older', async () => {
  const longAgo = new Date(Date.now() - 86_400_000);
  await set({ state: 'cancelled', finished_at: longAgo });
  assert.equal(await watchFor(60), false);
});

test('a VM of an attempt that was lost is waited for, also while another one builds', async () => {
  await set({ state: 'queued' });
  assert.equal(await watchFor(60), false);
  await set({ state: 'running', attempt: 2 });
  assert.equal(await watchFor(30), true);
});

test('a VM that builds is never left', async () => {
  assert.equal(await watchFor(86_400), false);
});

test('a VM that is known to be gone is not left', async () => {
  await set({ state: 'cancelled', finished_at: new Date() });
  await watch();
  await endVmUse(setting.context, { build, attempt: 1, at: new Date() });
  assert.equal(await watchFor(200), false);
});
