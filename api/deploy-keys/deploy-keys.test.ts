import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { after, before, beforeEach, test } from 'node:test';
import { compactDecrypt } from 'jose';
import { insertBuild } from '../builds/insert-build.ts';
import { dump, openSetting, type Setting } from '../revocation/test-setting.ts';
import { SourceHostError } from '../source-hosts/errors.ts';
import { removeRetiredKeys, retiredKeysOfProject } from './retired-keys.ts';

let setting: Setting;
let team: Awaited<ReturnType<Setting['addTeam']>>;
let projectId: string;
let count = 0;
const signal = () => AbortSignal.timeout(20_000);
const repository = () => `shop-${count}`;

before(async () => {
  setting = await openSetting();
  team = await setting.addTeam('acme');
});
after(() => setting.close());
beforeEach(async () => {
  count += 1;
  delete setting.fault.before;
  delete setting.fault.after;
  projectId = await setting.addProject(team, repository());
});

const create = () => setting.call(team.token, 'POST', '/v1/deploy-keys', { project_id: projectId });
const row = () =>
  setting.context.database
    .selectFrom('deploy_key')
    .selectAll()
    .where('project_id', '=', projectId)
    .executeTakeFirst();

test('a new deploy key is at the source host, with the fingerprint that ssh-keygen prints', async () => {
  const { status, body } = await create();
  assert.equal(status, 201);
  const hosted = await setting.host.findDeployKey(repository(), body.source_host_id, signal());
  assert.equal(hosted?.publicKey, body.public_key);
  assert.equal(hosted?.title, `Ebb: acme/${repository()}`);
  assert.match(body.public_key, new RegExp(`^ssh-ed25519 \\S+ ebb:acme/${repository()}$`));
  const printed = await sshKeygenFingerprint(body.public_key);
  assert.equal(printed, body.fingerprint);
});

test('the sealed private key opens to the seed of the public key, and its bytes are in no row', async () => {
  const { body } = await create();
  const stored = await row();
  const project = await setting.context.database
    .selectFrom('project')
    .select('wrapped_private_key')
    .where('id', '=', projectId)
    .executeTakeFirstOrThrow();
  const [, payload = ''] = (project.wrapped_private_key ?? '').split(' ');
  const wrapped = await compactDecrypt(payload, setting.keyEncryptionKey);
  const projectKey = createPrivateKey({ key: Buffer.from(wrapped.plaintext), format: 'der', type: 'pkcs8' });
  const { plaintext, protectedHeader } = await compactDecrypt(stored?.sealed_private_key ?? '', projectKey);
  assert.equal(protectedHeader.kid, projectId);
  assert.equal(protectedHeader.purpose, 'deploy-key');
  assert.equal(plaintext.length, 32);
  const seed = Buffer.from(plaintext);
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const der = createPublicKey(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })).export({
    format: 'der',
    type: 'spki',
  });
  assert.deepEqual(Buffer.from(body.public_key.split(' ')[1], 'base64').subarray(-32), der.subarray(-32));
  const everything = await dump(setting.context);
  assert.ok(everything.includes(body.fingerprint));
  for (const encoding of ['hex', 'base64', 'base64url', 'latin1'] as const) {
    assert.ok(!everything.includes(seed.toString(encoding)), encoding);
  }
});

test('a key whose answer was lost on the way is completed by the next request, not added again', async () => {
  setting.fault.after = (method) => {
    if (method !== 'addDeployKey') return;
    delete setting.fault.after;
    throw new SourceHostError('unreachable', 'The connection broke.');
  };
  assert.equal((await create()).status, 503);
  const left = await row();
  const { status, body } = await create();
  assert.equal(status, 201);
  assert.deepEqual([body.id, body.public_key], [left?.id, left?.public_key]);
});

test('a key whose answer was lost is not forgotten when the next try is refused: revoking removes it', async () => {
  setting.fault.after = (method) => {
    if (method === 'addDeployKey') throw new SourceHostError('unreachable', 'The connection broke.');
  };
  assert.equal((await create()).status, 503);
  const left = await row();
  setting.fault.before = (method) => {
    if (method === 'addDeployKey') throw new SourceHostError('refused', 'The repository is archived.');
  };
  assert.equal((await create()).status, 422);
  assert.equal((await row())?.id, left?.id);
  await setting.additionsEnded();
  assert.equal((await setting.call(team.token, 'DELETE', `/v1/projects/${projectId}`)).status, 204);
  assert.deepEqual((await setting.atHost(repository())).deployKeys, []);
});

test('a second key is refused with the way to import the first', async () => {
  await create();
  const { status, body } = await create();
  assert.equal(status, 409);
  assert.equal(body.code, 'deploy_key_exists');
  assert.match(body.detail, new RegExp(`terraform import ebb_deploy_key.NAME acme/${repository()}`));
});

test('two requests at once make one key', async () => {
  const answers = await Promise.all([create(), create()]);
  const made = answers.filter(({ status }) => status === 201).map(({ body }) => body.id);
  assert.ok(made.length >= 1);
  assert.equal(new Set(made).size, 1);
  assert.equal((await row())?.id, made[0]);
});

test('a key that was added when the answer got lost is completed by the next request', async () => {
  setting.fault.after = (method) => {
    if (method === 'addDeployKey') throw new SourceHostError('timeout', 'The host did not answer.');
  };
  assert.equal((await create()).body.code, 'source_host_timeout');
  const pending = await row();
  assert.equal(pending?.source_host_id, null);
  delete setting.fault.after;
  const { status, body } = await create();
  assert.equal(status, 201);
  assert.equal(body.public_key, pending?.public_key);
  assert.equal(await keysAtHost(body.source_host_id), true);
});

for (const [code, status, problem] of [
  ['repository_not_found', 422, 'repository_not_found'],
  ['refused', 422, 'source_host_refused'],
  ['key_in_use', 409, 'key_in_use'],
  ['rate_limited', 503, 'source_host_rate_limited'],
] as const) {
  test(`when the source host says ${code}, the caller is told and nothing stays`, async () => {
    setting.fault.before = (method) => {
      if (method === 'addDeployKey') throw new SourceHostError(code, `The host says ${code}.`);
    };
    const answer = await create();
    assert.equal(answer.status, status);
    assert.equal(answer.body.code, problem);
    assert.equal(answer.body.detail, `The host says ${code}.`);
    assert.equal(await row(), undefined);
  });
}

test('a key that was deleted at the source host is 404, and a new one takes its place', async () => {
  const first = (await create()).body;
  await setting.host.removeDeployKey(repository(), first.source_host_id, signal());
  assert.equal((await setting.call(team.token, 'GET', `/v1/deploy-keys/${first.id}`)).status, 404);
  const second = await create();
  assert.equal(second.status, 201);
  assert.notEqual(second.body.public_key, first.public_key);
});

test('when the source host cannot be asked, a key is answered as last known', async () => {
  const { body } = await create();
  setting.fault.before = () => {
    throw new SourceHostError('unreachable', 'down');
  };
  const answer = await setting.call(team.token, 'GET', `/v1/deploy-keys/${body.id}`);
  assert.equal(answer.status, 200);
  assert.equal(answer.body.fingerprint, body.fingerprint);
});

test('deleting removes the key at the source host, and deleting again is 404', async () => {
  const { body } = await create();
  assert.equal((await setting.call(team.token, 'DELETE', `/v1/deploy-keys/${body.id}`)).status, 204);
  assert.equal(await keysAtHost(body.source_host_id), false);
  assert.equal((await setting.call(team.token, 'DELETE', `/v1/deploy-keys/${body.id}`)).status, 404);
});

test('a key is not forgotten while the source host still shows it', async () => {
  const { body } = await create();
  setting.fault.before = (method) => {
    if (method === 'removeDeployKey') throw new SourceHostError('unreachable', 'down');
  };
  assert.equal((await setting.call(team.token, 'DELETE', `/v1/deploy-keys/${body.id}`)).status, 503);
  assert.equal((await row())?.id, body.id);
});

test('a key whose repository is gone can be deleted', async () => {
  const { body } = await create();
  await setting.removeRepository(repository());
  assert.equal((await setting.call(team.token, 'DELETE', `/v1/deploy-keys/${body.id}`)).status, 204);
});

test('another team sees no key, whatever it asks', async () => {
  const { body } = await create();
  const other = await setting.addTeam(`other-${count}`);
  const path = `/v1/deploy-keys/${body.id}`;
  assert.equal((await setting.call(other.token, 'GET', path)).status, 404);
  assert.equal((await setting.call(other.token, 'DELETE', path)).status, 404);
  const made = await setting.call(other.token, 'POST', '/v1/deploy-keys', { project_id: projectId });
  assert.equal(made.status, 404);
  const list = `/v1/deploy-keys?natural_id=acme/${repository()}`;
  assert.equal((await setting.call(other.token, 'GET', list)).body.items.length, 0);
  assert.deepEqual((await setting.call(team.token, 'GET', list)).body.items, [body]);
});

async function keysAtHost(id: string): Promise<boolean> {
  return (await setting.host.findDeployKey(repository(), id, signal())) !== undefined;
}

async function sshKeygenFingerprint(line: string): Promise<string | undefined> {
  return await new Promise((resolve, reject) => {
    const child = execFile('ssh-keygen', ['-l', '-f', '-'], (error, stdout) =>
      error ? reject(error) : resolve(stdout.split(' ')[1]),
    );
    child.stdin?.end(`${line}\n`);
  });
}

test('another word in rotate_when makes a new key, at the host before the old one goes', async () => {
  const first = (await create()).body;
  const order: string[] = [];
  setting.fault.before = (method) => void order.push(method);
  const path = `/v1/deploy-keys/${first.id}`;
  const { status, body } = await setting.call(team.token, 'PATCH', path, {
    rotate_when: { month: '2026-12' },
  });
  assert.equal(status, 200);
  assert.equal(body.id, first.id);
  assert.notEqual(body.fingerprint, first.fingerprint);
  assert.ok(order.indexOf('addDeployKey') < order.indexOf('removeDeployKey'));
  assert.equal(await setting.host.findDeployKey(repository(), first.source_host_id, signal()), undefined);
  const hosted = await setting.host.findDeployKey(repository(), body.source_host_id, signal());
  assert.equal(hosted?.publicKey, body.public_key);
  assert.deepEqual((await setting.call(team.token, 'GET', path)).body, body);
  const again = await setting.call(team.token, 'PATCH', path, { rotate_when: { month: '2026-12' } });
  assert.equal(again.body.fingerprint, body.fingerprint);
});

test('the old key stays while a build that was given it has not checked out', async () => {
  const first = (await create()).body;
  const build = await startBuild();
  const { body } = await setting.call(team.token, 'PATCH', `/v1/deploy-keys/${first.id}`, {
    rotate_when: { why: 'x' },
  });
  const old = () => setting.host.findDeployKey(repository(), first.source_host_id, signal());
  assert.ok(await old());
  await removeRetiredKeys(setting.context, signal(), projectId);
  assert.ok(await old());
  const { database } = setting.context;
  await database.updateTable('build').set({ checkout_done_at: new Date() }).where('id', '=', build).execute();
  await removeRetiredKeys(setting.context, signal(), projectId);
  assert.equal(await old(), undefined);
  assert.ok(await setting.host.findDeployKey(repository(), body.source_host_id, signal()));
});

test('revoking removes a key that was rotated out, too', async () => {
  const first = (await create()).body;
  await startBuild('errored');
  setting.fault.before = (method) => {
    if (method === 'removeDeployKey') throw new SourceHostError('unreachable', 'The host is away.');
  };
  const { body } = await setting.call(team.token, 'PATCH', `/v1/deploy-keys/${first.id}`, {
    rotate_when: { why: 'x' },
  });
  assert.ok(await setting.host.findDeployKey(repository(), first.source_host_id, signal()));
  delete setting.fault.before;
  assert.equal((await setting.call(team.token, 'DELETE', `/v1/projects/${projectId}`)).status, 204);
  for (const id of [first.source_host_id, body.source_host_id]) {
    assert.equal(await setting.host.findDeployKey(repository(), id, signal()), undefined);
  }
});

test('a rotation that ends in the middle leaves the old key in use, and no new one for long', async () => {
  const first = (await create()).body;
  setting.fault.after = (method) => {
    if (method === 'addDeployKey') throw new SourceHostError('timeout', 'The host did not answer.');
  };
  const path = `/v1/deploy-keys/${first.id}`;
  assert.equal((await setting.call(team.token, 'PATCH', path, { rotate_when: { why: 'x' } })).status, 503);
  delete setting.fault.after;
  assert.equal((await setting.call(team.token, 'GET', path)).body.fingerprint, first.fingerprint);
  const [pending] = await retiredKeysOfProject(setting.context.database, projectId);
  assert.equal(pending?.source_host_id, null);
  const later = { ...setting.context, now: () => new Date(Date.now() + 180_000) };
  assert.equal(await removeRetiredKeys(later, signal(), projectId), 1);
  assert.ok(await setting.host.findDeployKey(repository(), first.source_host_id, signal()));
});

test('a rotation that the host puts off leaves nothing to clear up, however often it is tried', async () => {
  const first = (await create()).body;
  setting.fault.before = (method) => {
    if (method === 'addDeployKey')
      throw new SourceHostError('rate_limited', 'Too many requests.', { retryAfterSeconds: 5 });
  };
  const path = `/v1/deploy-keys/${first.id}`;
  for (let count = 0; count < 3; count += 1)
    assert.equal((await setting.call(team.token, 'PATCH', path, { rotate_when: { why: 'x' } })).status, 503);
  assert.deepEqual(await retiredKeysOfProject(setting.context.database, projectId), []);
});

async function startBuild(state: 'starting' | 'errored' = 'starting'): Promise<string> {
  const { database } = setting.context;
  const build = await insertBuild(
    database,
    {
      ...{ projectId, teamId: team.id, trigger: 'api', ref: 'refs/heads/main', branch: 'main' },
      ...{ commit: '1'.repeat(40), message: '' },
    },
    new Date(),
  );
  await database
    .updateTable('build')
    .set({ state, started_at: new Date(), ...(state === 'errored' ? { finished_at: new Date() } : {}) })
    .where('id', '=', build.id)
    .execute();
  return build.id;
}
