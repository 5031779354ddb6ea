import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { insertBuild } from '../builds/insert-build.ts';
import { endVmUse, useVm } from '../builds/use-vm.ts';
import { json } from '../db/database.ts';
import { appendLog } from '../logs/append-log.ts';
import { destroySecrets } from '../revocation/destroy-secrets.ts';
import { revokeProject } from '../revocation/revoke-for-tests.ts';
import { openSetting, type Setting } from '../revocation/test-setting.ts';
import { signBuildReceipts } from './sign-build-receipts.ts';
import { signMissingReceipts } from './sign-missing-receipts.ts';

let setting: Setting;
before(async () => {
  setting = await openSetting();
});
after(() => setting.close());

const parameters = {
  repository: 'ssh://git@git.example.com/shop.git',
  ...{ commands: { setup: ['npm ci'], test: [], deploy: [] }, image: 'base', environment: [] },
  secrets: [{ name: 'TOKEN', phases: ['deploy' as const] }],
  ...{ memoryMib: 1024, timeoutSeconds: 3600 },
};

test('a build has provenance and a statement about its VM, signed once', async () => {
  const { team, build } = await addBuild('first');
  await end(build, { vm_gone_at: new Date() });
  const ids = await signBuildReceipts(setting.context, build);
  assert.deepEqual(await signBuildReceipts(setting.context, build), ids);
  const { body } = await setting.call(team.token, 'GET', `/v1/builds/${build}/receipts`);
  assert.deepEqual(
    body.items.map(({ id, kind, subject }: Record<string, string>) => [id, kind, subject]),
    [
      [ids.provenance, 'provenance', build],
      [ids.ramdisk, 'ramdisk', build],
    ],
  );
  const [provenance, ramdisk] = body.items.map(statementOf);
  const source = 'git+ssh://git@git.example.com/shop.git@refs/heads/main';
  for (const { subject } of [provenance, ramdisk])
    assert.deepEqual(subject, [{ name: source, digest: { gitCommit: 'b'.repeat(40) } }]);
  const { buildDefinition, runDetails } = provenance.predicate;
  assert.deepEqual(buildDefinition.externalParameters.secrets, [{ name: 'TOKEN', phases: ['deploy'] }]);
  assert.equal(runDetails.metadata.ebb_build.vm, 'vm-first');
  assert.deepEqual(ramdisk.predicate.vm.inside, { mounts: ['/'] });
  assert.deepEqual(ramdisk.predicate.vm.used_for, [{ build, attempt: 1 }]);
});

test('the provenance holds the digest and the length of the log that readers get', async () => {
  const { team, build } = await addBuild('log');
  const parts = ['ebb: hello\n', 'and more', '\n'];
  for (const part of parts) await addLog(build, part);
  await end(build, { vm_gone_at: new Date() });
  const { provenance } = await signBuildReceipts(setting.context, build);
  const { body } = await setting.call(team.token, 'GET', `/v1/receipts/${provenance}`);
  const [log] = statementOf(body).predicate.runDetails.byproducts;
  assert.equal(log.digest.sha256, createHash('sha256').update(parts.join('')).digest('hex'));
  assert.equal(log.annotations.ebb_bytes, parts.join('').length);
});

test('a log that was destroyed before the provenance was signed is named as that, without a digest', async () => {
  const { team, projectId, build } = await addBuild('destroyed');
  await addLog(build, 'ebb: hello\n');
  await end(build, { vm_gone_at: new Date() });
  await destroySecrets(setting.context.database, projectId);
  const { provenance } = await signBuildReceipts(setting.context, build);
  const { body } = await setting.call(team.token, 'GET', `/v1/receipts/${provenance}`);
  const [log] = statementOf(body).predicate.runDetails.byproducts;
  assert.equal(log.digest, undefined);
  assert.deepEqual(Object.keys(log.annotations), ['ebb_destroyed_at']);
});

test('a build whose log lost its end is not signed, and holds up no other one', async () => {
  const damaged = await addBuild('damaged');
  await addLog(damaged.build, 'ebb: hello\n');
  const { database } = setting.context;
  await database.deleteFrom('build_log').where('build_id', '=', damaged.build).execute();
  const whole = await addBuild('whole');
  for (const { build } of [damaged, whole]) await end(build, { vm_gone_at: new Date() });
  const kindsOf = async ({ team, build }: typeof whole) =>
    (await setting.call(team.token, 'GET', `/v1/builds/${build}/receipts`)).body.items.map(
      ({ kind }: { kind: string }) => kind,
    );
  const logged: unknown[] = [];
  const log = Object.assign(Object.create(setting.context.log), {
    error: (about: unknown) => void logged.push(about),
  });
  const sweep = () =>
    signMissingReceipts({ ...setting.context, log, now: () => new Date(Date.now() + 120_000) });
  await sweep();
  assert.deepEqual(await kindsOf(whole), ['provenance', 'ramdisk']);
  assert.deepEqual(await kindsOf(damaged), []);
  const error = `Error: The log of the build ${damaged.build} is damaged: of 11 bytes 0 are there.`;
  assert.deepEqual(logged, [{ build: damaged.build, error }]);
  await sweep();
  assert.equal(logged.length, 1, 'it is put off');
});

test('nothing is signed while the build runs or its VM may live, or when no runner was given it', async () => {
  const { build } = await addBuild('second');
  await assert.rejects(signBuildReceipts(setting.context, build), { code: 'build_not_over' });
  await end(build, { vm_gone_at: null });
  await assert.rejects(signBuildReceipts(setting.context, build), { code: 'build_not_over' });
  await assert.rejects(signBuildReceipts(setting.context, 'bld_none'), { status: 404 });
  const { build: queued } = await addBuild('never');
  const over = { state: 'cancelled', finished_at: new Date(0) } as const;
  await setting.context.database.updateTable('build').set(over).where('id', '=', queued).execute();
  await assert.rejects(signBuildReceipts(setting.context, queued), { code: 'build_not_over' });
});

test('when the runner is lost, the receipt says that nobody saw the VM end', async () => {
  const { team, build } = await addBuild('third');
  await end(build, { vm_gone_at: null });
  const later = { ...setting.context, now: () => new Date(Date.now() + 60_000) };
  const { ramdisk } = await signBuildReceipts(later, build);
  const { body } = await setting.call(team.token, 'GET', `/v1/receipts/${ramdisk}`);
  assert.equal(statementOf(body).predicate.vm.destroyed_at, null);
});

test('a VM that one attempt has is never another’s', async () => {
  const { build } = await addBuild('vm');
  const use = { vm: 'vm-once', build, attempt: 1 };
  await useVm(setting.context, use);
  await useVm(setting.context, use);
  await assert.rejects(useVm(setting.context, { ...use, attempt: 2 }), { code: 'vm_used', status: 409 });
});

test('receipts outlive their project, come page by page, and belong to one team', async () => {
  const { team, projectId, build } = await addBuild('fourth');
  await end(build, { vm_gone_at: new Date() });
  const signed = await signBuildReceipts(setting.context, build);
  const revoked = await revokeProject(setting.context, projectId, AbortSignal.timeout(20_000));
  const path = `/v1/receipts?project_id=${projectId}`;
  const first = (await setting.call(team.token, 'GET', `${path}&limit=2`)).body;
  assert.deepEqual(first.items.map(idOf), [signed.provenance, signed.ramdisk]);
  const second = (await setting.call(team.token, 'GET', `${path}&limit=2&cursor=${first.next_cursor}`)).body;
  assert.deepEqual([second.items.map(idOf), second.next_cursor], [[revoked.receiptId], null]);
  for (const [query, ids] of [
    [`kind=ramdisk`, [signed.ramdisk]],
    [`subject=${build}`, [signed.provenance, signed.ramdisk]],
    [`subject=${projectId}&kind=revocation`, [revoked.receiptId]],
    [`subject=${projectId}&kind=ramdisk`, []],
  ]) {
    assert.deepEqual((await setting.call(team.token, 'GET', `${path}&${query}`)).body.items.map(idOf), ids);
  }
  const other = await setting.addTeam('fourth-other');
  for (const hidden of [`/v1/receipts/${signed.ramdisk}`, `/v1/builds/${build}/receipts`])
    assert.equal((await setting.call(other.token, 'GET', hidden)).status, 404);
  assert.deepEqual((await setting.call(other.token, 'GET', path)).body.items, []);
});

const idOf = ({ id }: { id: string }) => id;
const statementOf = ({ envelope }: { envelope: { payload: string } }) =>
  JSON.parse(Buffer.from(envelope.payload, 'base64').toString());

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

async function addLog(build: string, text: string): Promise<void> {
  const { log_size, ...row } = await setting.context.database
    .selectFrom('build')
    .select(['id', 'project_id', 'attempt', 'log_size'])
    .where('id', '=', build)
    .executeTakeFirstOrThrow();
  const place = { attempt: row.attempt, offset: log_size };
  await appendLog(setting.context, row, place, Buffer.from(text));
}

async function end(build: string, vm: { vm_gone_at: Date | null }): Promise<void> {
  const { database } = setting.context;
  const { name: project } = await database
    .selectFrom('project')
    .innerJoin('build', 'build.project_id', 'project.id')
    .select('project.name')
    .where('build.id', '=', build)
    .executeTakeFirstOrThrow();
  const name = `vm-${project}`;
  await useVm(setting.context, { vm: name, build, attempt: 1 });
  if (vm.vm_gone_at) await endVmUse(setting.context, { build, attempt: 1, at: vm.vm_gone_at });
  const over = { state: 'passed', vm: name, attempt: 1, proof: json({ mounts: ['/'] }) } as const;
  const times = { started_at: new Date(), finished_at: new Date() };
  await database
    .updateTable('build')
    .set({ ...over, ...vm, ...times, parameters: json(parameters) })
    .where('id', '=', build)
    .execute();
}
