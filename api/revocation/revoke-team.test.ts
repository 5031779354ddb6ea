import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { describeReceipt, verifyReceipt } from '../../cli/verify/verify-receipt.ts';
import { SourceHostError } from '../source-hosts/errors.ts';
import { resumeRevocations } from './resume-revocations.ts';
import { openSetting, type Setting } from './test-setting.ts';

type Team = Awaited<ReturnType<Setting['addTeam']>>;

let setting: Setting;
let count = 0;
const signal = () => AbortSignal.timeout(60_000);
const quick = { buildsMs: 0, retryMs: 1 };

before(async () => {
  setting = await openSetting();
});
after(() => setting.close());

/** A team with two projects, each of a connection of its own, with a deploy key, a hook and a secret. */
async function addTeam() {
  const team = await setting.addTeam(`team-${++count}`);
  const projects: string[] = [];
  for (const name of [`shop-${count}`, `blog-${count}`]) {
    const projectId = await setting.addProject(team, name);
    projects.push(projectId);
    const body = { project_id: projectId };
    await setting.call(team.token, 'POST', '/v1/deploy-keys', body);
    await setting.call(team.token, 'POST', '/v1/hook-bindings', body);
    await setting.call(team.token, 'POST', '/v1/secrets', { ...body, name: 'TOKEN', value: 'something' });
  }
  return { team, projects };
}

const revoke = (team: Team, body: object = { name: team.name }) =>
  setting.call(team.token, 'POST', '/v1/team/revoke', body);

async function told(team: Team, receiptId: string): Promise<string[]> {
  const { status, body } = await setting.call(team.token, 'GET', `/v1/receipts/${receiptId}`);
  assert.equal(status, 200);
  const verdict = verifyReceipt({ envelope: body.envelope, jwks: setting.context.signer.jwks() });
  assert.ok(verdict.ok, verdict.ok ? '' : verdict.problem);
  return describeReceipt(verdict.statement);
}

test('a team is not revoked by a name that is not its own', async () => {
  const { team, projects } = await addTeam();
  for (const name of ['', 'Team-1', `${team.name} `]) {
    const { status, body } = await revoke(team, { name });
    assert.equal(status, 422);
    assert.match(body.errors[0].pointer, /name/);
  }
  assert.equal((await setting.call(team.token, 'GET', `/v1/projects/${projects[0]}`)).status, 200);
  const narrow = await setting.context.tokens.sign(
    { sub: team.keyId, team: team.id, project: projects[0] ?? '', scope: 'team:revoke' },
    60,
  );
  assert.equal((await setting.call(narrow, 'POST', '/v1/team/revoke', { name: team.name })).status, 403);
});

test('revoking a team ends its other keys at once, its projects and connections, and leaves receipts down to each project', async () => {
  const { team, projects } = await addTeam();
  const other = await setting.addKey(team);
  const { status, body } = await revoke(team);
  assert.equal(status, 200, body.detail);
  assert.equal((await setting.call(other, 'GET', '/v1/projects')).body.code, 'token_revoked');
  const lines = await told(team, body.receipt_id);
  assert.equal(lines[0], `Revocation of the team ${team.name} (${team.id})`);
  const all = await setting.call(team.token, 'GET', '/v1/revocations?open=false');
  assert.deepEqual(all.body.items.map(({ kind }: { kind: string }) => kind).sort(), [
    'connection',
    'connection',
    'project',
    'project',
    'team',
  ]);
  for (const { kind, receipt_id } of all.body.items) {
    const [first] = await told(team, receipt_id);
    assert.match(first ?? '', new RegExp(`^Revocation of the ${kind} `));
  }
  const { database } = setting.context;
  const secrets = await database
    .selectFrom('secret')
    .select('id')
    .where('project_id', 'in', projects)
    .execute();
  assert.deepEqual(secrets, []);
  const again = await revoke(team);
  assert.equal(again.body.receipt_id, body.receipt_id);
});

test('while something holds a team up, the key that asked reads how far it is and can do nothing else', async () => {
  const { team } = await addTeam();
  setting.fault.before = () => {
    throw new SourceHostError('refused', 'The host says no.');
  };
  const held = await revoke(team);
  delete setting.fault.before;
  assert.equal(held.status, 503);
  assert.equal(held.body.code, 'source_host_refused');
  const { items } = (await setting.call(team.token, 'GET', '/v1/revocations?open=true')).body;
  const open = items.find(({ kind }: { kind: string }) => kind === 'team');
  const read = await setting.call(team.token, 'GET', `/v1/revocations/${open.id}`);
  assert.equal(read.body.state, 'held_up');
  assert.equal(read.body.obstacle.remove_by_hand.length, 4);
  for (const [method, path, body] of [
    ['GET', '/v1/projects'],
    ['GET', '/v1/builds'],
    ['GET', '/v1/connections'],
    ['POST', '/v1/connections', { name: 'late', kind: 'local' }],
  ] as const) {
    const answer = await setting.call(team.token, method, path, body);
    assert.equal(answer.body.code, 'team_revoked', path);
  }
  assert.equal((await revoke(team)).status, 200, 'the same request goes on at once');
});

test('the key that asked reads receipts for seven days after the end, and then nothing', async () => {
  const { team } = await addTeam();
  const { receipt_id } = (await revoke(team)).body;
  await told(team, receipt_id);
  const { now } = setting.context;
  const key = await setting.context.database
    .selectFrom('api_key')
    .select('ends_at')
    .where('id', '=', team.keyId)
    .executeTakeFirstOrThrow();
  const days = ((key.ends_at?.getTime() ?? 0) - Date.now()) / 86_400_000;
  assert.ok(days > 6.9 && days < 7.1, `${days} days`);
  setting.context.now = () => key.ends_at ?? now();
  const late = await setting.call(team.token, 'GET', `/v1/receipts/${receipt_id}`);
  setting.context.now = now;
  assert.equal(late.body.code, 'token_revoked');
});

test('a key that could not read receipts reads those of the revocation it asked for, and the audit trail', async () => {
  const { team } = await addTeam();
  const scope = 'team:revoke';
  const claims = { sub: team.keyId, team: team.id, scope };
  const narrow = { ...team, token: await setting.context.tokens.sign(claims, 600) };
  const { status, body } = await revoke(narrow);
  assert.equal(status, 200, body.detail);
  assert.match((await told(narrow, body.receipt_id))[0] ?? '', /^Revocation of the team/);
  const all = await setting.call(narrow.token, 'GET', '/v1/revocations?open=false');
  assert.equal(all.body.items.length, 5);
  const trail = await setting.call(narrow.token, 'GET', '/v1/audit-events?limit=5');
  assert.equal(trail.body.items[0].action, 'revocation.finished');
  assert.equal((await setting.call(narrow.token, 'GET', '/v1/projects')).status, 401);
});

test('a project that was being revoked alone becomes a part of its team’s revocation', async () => {
  const { team, projects } = await addTeam();
  setting.fault.before = () => {
    throw new SourceHostError('refused', 'The host says no.');
  };
  assert.equal((await setting.call(team.token, 'POST', `/v1/projects/${projects[0]}/revoke`)).status, 503);
  delete setting.fault.before;
  assert.equal((await revoke(team)).status, 200);
  const { items } = (await setting.call(team.token, 'GET', '/v1/revocations')).body;
  const parts = items.filter(
    ({ kind, within }: { kind: string; within: string }) => kind === 'project' && within,
  );
  assert.equal(parts.length, 2);
});

test('a host that does not take the credential is not asked for each project of it, and no project keeps a secret', async () => {
  const { team, projects } = await addTeam();
  const { database } = setting.context;
  for (let more = 0; more < 6; more += 1) {
    const project_id = await setting.addProject(team, `more-${count}-${more}`);
    await setting.call(team.token, 'POST', '/v1/deploy-keys', { project_id });
    projects.push(project_id);
  }
  const { connection_id } = await database
    .selectFrom('project')
    .select('connection_id')
    .where('id', '=', projects[0] ?? '')
    .executeTakeFirstOrThrow();
  await database.updateTable('project').set({ connection_id }).where('id', 'in', projects).execute();
  let calls = 0;
  setting.fault.before = () => {
    calls += 1;
    throw new SourceHostError('unauthorized', 'The credential is not taken.');
  };
  await revoke(team);
  delete setting.fault.before;
  assert.ok(calls <= 4, `${calls} calls`);
  const { items } = (await setting.call(team.token, 'GET', '/v1/revocations?open=true')).body;
  const left = items.filter(({ kind }: { kind: string }) => kind === 'project');
  for (const { steps } of left) {
    assert.ok(steps.some(({ step }: { step: string }) => step === 'secrets_destroyed'));
  }
  assert.ok((await resumeRevocations(setting.context, signal(), { limits: quick, all: true })) >= 1);
  assert.equal((await revoke(team)).status, 200);
});

test('a revocation is seen by its own team alone', async () => {
  const { team, projects } = await addTeam();
  const stranger = await setting.addTeam(`stranger-${count}`);
  const { body } = await setting.call(team.token, 'POST', `/v1/projects/${projects[0]}/revoke`);
  assert.equal((await setting.call(stranger.token, 'GET', `/v1/revocations/${body.id}`)).status, 404);
  assert.equal(
    (await setting.call(stranger.token, 'POST', `/v1/projects/${projects[1]}/revoke`)).status,
    404,
  );
  assert.deepEqual((await setting.call(stranger.token, 'GET', '/v1/revocations')).body.items, []);
});

test('the receipt of a team names the projects whose repository was not shown', async () => {
  const { team } = await addTeam();
  await setting.removeRepository(`shop-${count}`);
  const { body } = await revoke(team);
  const lines = (await told(team, body.receipt_id)).filter((line) => line.includes('NOT CONFIRMED BY EBB'));
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', new RegExp(`: shop-${count}; their receipts name what may remain`));
});
