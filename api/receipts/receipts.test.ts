import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { insertBuild } from '../builds/insert-build.ts';
import { json } from '../db/database.ts';
import { revokeProject } from '../revocation/revoke-for-tests.ts';
import { openSetting, type Setting } from '../revocation/test-setting.ts';
import { signBuildReceipt } from './sign-build-receipt.ts';

let setting: Setting;
before(async () => {
  setting = await openSetting();
});
after(() => setting.close());

test('the receipt of a build tells commit, VM, proof and times, and is signed once', async () => {
  const { team, build } = await addBuild('first');
  await end(build, { vm_gone_at: new Date() });
  const { receiptId } = await signBuildReceipt(setting.context, build);
  assert.equal((await signBuildReceipt(setting.context, build)).receiptId, receiptId);
  const { body } = await setting.call(team.token, 'GET', `/v1/receipts/${receiptId}`);
  assert.equal(body.kind, 'build');
  assert.equal(body.subject, build);
  const { predicate } = JSON.parse(Buffer.from(body.envelope.payload, 'base64').toString());
  assert.equal(predicate.build.commit, 'b'.repeat(40));
  assert.equal(predicate.vm, 'vm-1');
  assert.deepEqual(predicate.ramdisk_proof, { mounts: ['/'] });
  assert.notEqual(predicate.vm_gone_at, null);
});

test('nothing is signed while the build runs or its VM may live', async () => {
  const { build } = await addBuild('second');
  await assert.rejects(signBuildReceipt(setting.context, build), { code: 'build_not_over' });
  await end(build, { vm_gone_at: null });
  await assert.rejects(signBuildReceipt(setting.context, build), { code: 'build_not_over' });
  await assert.rejects(signBuildReceipt(setting.context, 'bld_none'), { status: 404 });
});

test('when the runner is lost, the receipt says that nobody saw the VM end', async () => {
  const { team, build } = await addBuild('third');
  await end(build, { vm_gone_at: null });
  const later = { ...setting.context, now: () => new Date(Date.now() + 60_000) };
  const { receiptId } = await signBuildReceipt(later, build);
  const { body } = await setting.call(team.token, 'GET', `/v1/receipts/${receiptId}`);
  const { predicate } = JSON.parse(Buffer.from(body.envelope.payload, 'base64').toString());
  assert.equal(predicate.vm_gone_at, null);
});

test('receipts outlive their project, come page by page, and belong to one team', async () => {
  const { team, projectId, build } = await addBuild('fourth');
  await end(build, { vm_gone_at: new Date() });
  const { receiptId } = await signBuildReceipt(setting.context, build);
  const revoked = await revokeProject(setting.context, projectId, AbortSignal.timeout(20_000));
  const path = `/v1/receipts?project_id=${projectId}&limit=1`;
  const first = (await setting.call(team.token, 'GET', path)).body;
  assert.equal(first.items[0].id, receiptId);
  const second = (await setting.call(team.token, 'GET', `${path}&cursor=${first.next_cursor}`)).body;
  assert.equal(second.items[0].id, revoked.receiptId);
  assert.equal(second.next_cursor, null);
  const other = await setting.addTeam('fourth-other');
  assert.equal((await setting.call(other.token, 'GET', `/v1/receipts/${receiptId}`)).status, 404);
  assert.deepEqual((await setting.call(other.token, 'GET', path)).body.items, []);
});

async function addBuild(name: string) {
  const team = await setting.addTeam(name);
  const projectId = await setting.addProject(team, name);
  const build = {
    projectId,
    teamId: team.id,
    ref: 'refs/heads/main',
    branch: 'main',
    commit: 'b'.repeat(40),
    message: 'Change',
  };
  const { id } = await setting.context.database
    .transaction()
    .execute((transaction) => insertBuild(transaction, { ...build, trigger: 'api' }, new Date()));
  return { team, projectId, build: id };
}

async function end(build: string, vm: { vm_gone_at: Date | null }): Promise<void> {
  const over = { state: 'passed', vm: 'vm-1', attempt: 1, proof: json({ mounts: ['/'] }) } as const;
  await setting.context.database
    .updateTable('build')
    .set({ ...over, ...vm, finished_at: new Date() })
    .where('id', '=', build)
    .execute();
}
