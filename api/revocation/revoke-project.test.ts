import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import type { RevocationPredicate } from '../../contract/receipt-statement.ts';
import { endAttempt } from '../builds/end-attempt.ts';
import { insertBuild } from '../builds/insert-build.ts';
import { endVmUse, useVm } from '../builds/use-vm.ts';
import { createVmWatch } from '../builds/watch-vms.ts';
import type { ApiContext } from '../context.ts';
import { SourceHostError } from '../source-hosts/errors.ts';
import { resumeRevocations } from './resume-revocations.ts';
import { revokeProject } from './revoke-for-tests.ts';
import { openSetting, type Setting } from './test-setting.ts';

let setting: Setting;
let team: Awaited<ReturnType<Setting['addTeam']>>;
let projectId: string;
let count = 0;
const signal = () => AbortSignal.timeout(20_000);
const repository = () => `shop-${count}`;
const quick = { buildsMs: 0, retryMs: 1 };
const order = [
  'claims_and_tokens_stopped',
  'builds_cancelled',
  'hook_removed',
  'deploy_key_removed',
  'absence_confirmed',
  'secrets_destroyed',
];

before(async () => {
  setting = await openSetting();
});
after(() => setting.close());
beforeEach(async () => {
  count += 1;
  delete setting.fault.before;
  delete setting.fault.after;
  team = await setting.addTeam(`team-${count}`);
  projectId = await setting.addProject(team, repository());
});

const revoke = (context = setting.context) => revokeProject(context, projectId, signal(), quick);

test('revoking removes key and hook at the source host, destroys the secrets and signs all steps', async () => {
  const { key, hook } = await addEverything();
  const { receiptId } = await revoke();
  await assertNothingLeft(key, hook);
  const predicate = await signedPredicate(receiptId);
  assert.deepEqual(
    predicate.steps.map(({ step }) => step),
    order,
  );
  assert.match(predicate.steps.at(-1)?.detail ?? '', /wrapped log key/, 'all that is destroyed is named');
  assert.equal(predicate.deploy_key_fingerprint, key.fingerprint);
  assert.equal(predicate.hook_id, hook.id);
  assert.ok(predicate.audit_head, 'who keeps the receipt is a witness of the audit trail');
});

test('revoking again, one after the other or at once, answers the same receipt', async () => {
  await addEverything();
  const answers = await Promise.all([revoke(), revoke()]);
  answers.push(await revoke());
  assert.equal(new Set(answers.map(({ receiptId }) => receiptId)).size, 1);
  const receipts = await setting.call(team.token, 'GET', `/v1/receipts?project_id=${projectId}`);
  assert.equal(receipts.body.items.length, 1);
});

test('a waiting build is cancelled and named in the receipt', async () => {
  const build = await addBuild();
  const { receiptId } = await revoke();
  const { builds_ended } = await signedPredicate(receiptId);
  assert.deepEqual(
    builds_ended.map(({ id, state, vm }) => ({ id, state, vm })),
    [{ id: build, state: 'cancelled', vm: null }],
  );
});

test('while a VM lives the revocation stays open with the secrets destroyed; it finishes when the VM is gone', async () => {
  const build = await addBuild();
  await runOn(build, 1, 'vm_lives');
  await assert.rejects(revoke(), { status: 503, code: 'builds_still_ending' });
  assert.equal(await wrappedKey(), null);
  await setBuild(build, { state: 'cancelled', finished_at: new Date() });
  await assert.rejects(revoke(), { code: 'builds_still_ending' });
  await endVmUse(setting.context, { build, attempt: 1, at: new Date() });
  const { receiptId } = await revoke();
  const { builds_ended, steps } = await signedPredicate(receiptId);
  assert.equal(builds_ended[0]?.vm, 'vm_lives');
  assert.ok(builds_ended[0]?.vm_gone_at);
  assert.equal(steps.length, order.length);
});

test('a VM that nobody reported gone is waited for until it must have ended itself, whatever the clock says', async () => {
  const build = await addBuild();
  await runOn(build, 1, 'vm_unseen');
  await setBuild(build, { state: 'cancelled', finished_at: new Date() });
  const later = { ...setting.context, now: () => new Date(Date.now() + 86_400_000) };
  await assert.rejects(revoke(later), { status: 503, code: 'builds_still_ending' });
  await waitForVms();
  const { steps, builds_ended } = await signedPredicate((await revoke()).receiptId);
  assert.match(detailOf(steps, 'builds_cancelled'), /nobody saw them end: vm_unseen/);
  assert.equal(builds_ended[0]?.vm_gone_at, null);
});

test('the VM of an attempt that was lost is waited for and named, though its build waits for another one', async () => {
  const build = await addBuild();
  await runOn(build, 1, 'vm_partitioned');
  const row = await setting.context.database
    .selectFrom('build')
    .selectAll()
    .where('id', '=', build)
    .executeTakeFirstOrThrow();
  await endAttempt(setting.context, row, { attempt: 1, outcome: 'lost' });
  await assert.rejects(revoke(), { status: 503, code: 'builds_still_ending' });
  await waitForVms();
  const { steps, builds_ended } = await signedPredicate((await revoke()).receiptId);
  assert.match(
    detailOf(steps, 'builds_cancelled'),
    /^1 ended, with 0 VM\(s\) that are gone\. 1 VM\(s\) lost/,
  );
  assert.deepEqual(
    builds_ended.map(({ id, vm, earlier_vms }) => ({ id, vm, earlier_vms })),
    [{ id: build, vm: null, earlier_vms: [{ vm: 'vm_partitioned', vm_gone_at: null }] }],
  );
});

test('a source host that is down keeps the revocation open but no secret alive; resuming finishes it', async () => {
  const { key, hook } = await addEverything();
  let calls = 0;
  setting.fault.before = () => {
    calls += 1;
    throw new SourceHostError('unreachable', 'The host is down.');
  };
  await assert.rejects(revoke(), (error: { status: number; code: string; message: string }) => {
    assert.equal(error.status, 503);
    assert.equal(error.code, 'source_host_unreachable');
    assert.match(error.message, /hook_removed, deploy_key_removed, absence_confirmed/);
    return true;
  });
  assert.equal(calls, 3);
  assert.equal(await wrappedKey(), null);
  const stored = await setting.context.database
    .selectFrom('deploy_key')
    .select('sealed_private_key')
    .where('project_id', '=', projectId)
    .executeTakeFirstOrThrow();
  assert.equal(stored.sealed_private_key, '');
  delete setting.fault.before;
  assert.ok((await resumeRevocations(setting.context, signal(), { limits: quick, all: true })) >= 1);
  await assertNothingLeft(key, hook);
  const { receiptId } = await revoke();
  assert.equal((await signedPredicate(receiptId)).steps.length, order.length);
});

test('a passing failure of the source host is tried again', async () => {
  const { key, hook } = await addEverything();
  let calls = 0;
  setting.fault.before = () => {
    calls += 1;
    if (calls === 1) throw new SourceHostError('timeout', 'Slow.');
  };
  await revoke();
  await assertNothingLeft(key, hook);
});

test('a project whose repository is gone is revoked, and the receipt says so', async () => {
  await addEverything();
  await setting.removeRepository(repository());
  const { steps } = await signedPredicate((await revoke()).receiptId);
  for (const step of ['hook_removed', 'deploy_key_removed', 'absence_not_seen']) {
    const { detail } = steps.find((done) => done.step === step) ?? {};
    assert.match(detail ?? '', /shows no such repository.*deleted, or it is hidden/, step);
  }
});

test('a key whose id a crash kept from us is found and removed', async () => {
  const { key, hook } = await addEverything();
  await setting.context.database
    .updateTable('deploy_key')
    .set({ source_host_id: null })
    .where('project_id', '=', projectId)
    .execute();
  await revoke();
  await assertNothingLeft(key, hook);
});

test('nothing can be made for a project that is being revoked', async () => {
  setting.fault.before = () => {
    throw new SourceHostError('unreachable', 'down');
  };
  await addKeyRow();
  await assert.rejects(revoke());
  delete setting.fault.before;
  for (const path of ['/v1/deploy-keys', '/v1/hook-bindings']) {
    const { status } = await setting.call(team.token, 'POST', path, { project_id: projectId });
    assert.equal(status, 409, path);
  }
});

// A process that dies can do nothing more: from the chosen moment on, clock, source host and signer all throw.
test('after a crash at any moment the next call finishes, with every step once', async () => {
  let moment = 0;
  for (let crashed = true; crashed; moment += 1) {
    count += 1;
    projectId = await setting.addProject(team, repository());
    const { key, hook } = await addEverything();
    const dying = dieAt(moment);
    crashed = await revoke(dying.context).then(
      () => false,
      () => true,
    );
    assert.equal(crashed, dying.died(), `moment ${moment}`);
    delete setting.fault.before;
    delete setting.fault.after;
    const { receiptId } = await revoke();
    await assertNothingLeft(key, hook);
    const { steps } = await signedPredicate(receiptId);
    assert.deepEqual(steps.map(({ step }) => step).sort(), [...order].sort(), `moment ${moment}`);
  }
  assert.ok(moment > 15, `only ${moment} moments were tried`);
});

function dieAt(moment: number) {
  let moments = 0;
  const tick = () => {
    moments += 1;
    if (moments > moment) throw new Error('The process died.');
  };
  setting.fault.before = tick;
  setting.fault.after = tick;
  const { signer } = setting.context;
  const context: ApiContext = {
    ...setting.context,
    now() {
      tick();
      return new Date();
    },
    signer: {
      ...signer,
      signStatement(statement) {
        tick();
        return signer.signStatement(statement);
      },
    },
  };
  return { context, died: () => moments > moment };
}

async function addEverything() {
  const body = { project_id: projectId };
  const key = (await setting.call(team.token, 'POST', '/v1/deploy-keys', body)).body;
  const hook = (await setting.call(team.token, 'POST', '/v1/hook-bindings', body)).body;
  const secret = { ...body, name: 'TOKEN', value: 'something secret' };
  assert.equal((await setting.call(team.token, 'POST', '/v1/secrets', secret)).status, 201);
  return { key, hook };
}

async function addBuild(): Promise<string> {
  const build = {
    projectId,
    teamId: team.id,
    ref: 'refs/heads/main',
    branch: 'main',
    commit: 'a'.repeat(40),
    message: 'Change',
  };
  const row = await setting.context.database
    .transaction()
    .execute((transaction) => insertBuild(transaction, { ...build, trigger: 'api' }, new Date()));
  return row.id;
}

const setBuild = (build: string, values: object) =>
  setting.context.database.updateTable('build').set(values).where('id', '=', build).execute();

async function runOn(build: string, attempt: number, vm: string): Promise<void> {
  await useVm(setting.context, { vm, build, attempt });
  await setBuild(build, { state: 'running', vm, started_at: new Date(), attempt });
}

/** Until every VM that nobody told the end of must have ended itself. */
async function waitForVms(): Promise<void> {
  let monotonicMs = 0;
  const watch = createVmWatch(() => monotonicMs);
  await watch(setting.context);
  monotonicMs = 90_000;
  await watch(setting.context);
}

const detailOf = (steps: RevocationPredicate['steps'], wanted: string) =>
  steps.find(({ step }) => step === wanted)?.detail ?? '';

async function addKeyRow() {
  delete setting.fault.before;
  await setting.call(team.token, 'POST', '/v1/deploy-keys', { project_id: projectId });
  setting.fault.before = () => {
    throw new SourceHostError('unreachable', 'down');
  };
}

async function wrappedKey() {
  const row = await setting.context.database
    .selectFrom('project')
    .select('wrapped_private_key')
    .where('id', '=', projectId)
    .executeTakeFirstOrThrow();
  return row.wrapped_private_key;
}

async function assertNothingLeft(
  key: { source_host_id: string },
  hook: { source_host_id: string },
): Promise<void> {
  const { database } = setting.context;
  const { host } = setting;
  assert.equal(await host.findDeployKey(repository(), key.source_host_id, signal()), undefined);
  assert.equal(await host.findHook(repository(), hook.source_host_id, signal()), undefined);
  assert.equal(await wrappedKey(), null);
  for (const table of ['deploy_key', 'hook_binding', 'secret'] as const) {
    const rows = await database.selectFrom(table).select('id').where('project_id', '=', projectId).execute();
    assert.deepEqual(rows, [], table);
  }
}

async function signedPredicate(receiptId: string): Promise<RevocationPredicate> {
  const { status, body } = await setting.call(team.token, 'GET', `/v1/receipts/${receiptId}`);
  assert.equal(status, 200);
  return JSON.parse(Buffer.from(body.envelope.payload, 'base64').toString()).predicate;
}
