import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { dump, openSetting, type Setting } from '../revocation/test-setting.ts';
import { SourceHostError } from '../source-hosts/errors.ts';
import { parsePrivateKey } from './parse-private-key.ts';
import { removeRetiredKeys } from './retired-keys.ts';
import { sshKeygen } from './ssh-keygen-for-tests.ts';

let setting: Setting;
let team: Awaited<ReturnType<Setting['addTeam']>>;
let projectId: string;
let count = 0;
const repository = () => `shop-${count}`;

before(async () => {
  setting = await openSetting();
  team = await setting.addTeam('acme');
});
after(() => setting.close());
beforeEach(async () => {
  count += 1;
  delete setting.fault.after;
  delete setting.fault.before;
  projectId = await setting.addProject(team, repository());
});

const create = (more: object) =>
  setting.call(team.token, 'POST', '/v1/deploy-keys', { project_id: projectId, ...more });
const change = (id: string, body: object) => setting.call(team.token, 'PATCH', `/v1/deploy-keys/${id}`, body);
const keysAtHost = async () => (await setting.atHost(repository())).deployKeys.length;

test('a key that a team brings along is the one at the source host, and its private half is in no row', async () => {
  const { privateKey, fingerprint } = await sshKeygen('ed25519');
  const { status, body } = await create({ private_key: privateKey });
  assert.deepEqual([status, body.fingerprint, body.made_by], [201, fingerprint, 'team']);
  const hosted = await setting.host.findDeployKey(
    repository(),
    body.source_host_id,
    AbortSignal.timeout(20_000),
  );
  assert.equal(hosted?.publicKey, body.public_key);
  const everything = await dump(setting.context);
  const seed = parsePrivateKey(privateKey);
  for (const encoding of ['hex', 'base64', 'base64url', 'latin1'] as const) {
    assert.ok(!everything.includes(seed.toString(encoding)), encoding);
  }
  assert.ok(!everything.includes(privateKey.split('\n')[3] ?? privateKey));
});

test('another one takes its place, and the same one sent again changes nothing', async () => {
  const [first, second] = await Promise.all([sshKeygen('ed25519'), sshKeygen('ed25519')]);
  const { body: made } = await create({ private_key: first.privateKey });
  const { body: rotated } = await change(made.id, { private_key: second.privateKey });
  assert.deepEqual([rotated.id, rotated.fingerprint], [made.id, second.fingerprint]);
  assert.deepEqual((await change(made.id, { private_key: second.privateKey })).body, rotated);
  assert.equal(await keysAtHost(), 1);
});

test('a key that comes back while it is still to be removed stays at the source host', async () => {
  const [first, second] = await Promise.all([sshKeygen('ed25519'), sshKeygen('ed25519')]);
  const { body: made } = await create({ private_key: first.privateKey });
  setting.fault.before = (method) => {
    if (method === 'removeDeployKey') throw new SourceHostError('unreachable', 'The host is away.');
  };
  await change(made.id, { private_key: second.privateKey });
  assert.equal(await keysAtHost(), 2);
  delete setting.fault.before;
  const { body: back } = await change(made.id, { private_key: first.privateKey });
  assert.equal(back.fingerprint, first.fingerprint);
  await sweepMuchLater();
  await usesAlone(back);
});

test('a key whose answer was lost stays when it is sent again', async () => {
  const [first, second] = await Promise.all([sshKeygen('ed25519'), sshKeygen('ed25519')]);
  const { body: made } = await create({ private_key: first.privateKey });
  setting.fault.after = (method) => {
    if (method !== 'addDeployKey') return;
    delete setting.fault.after;
    throw new SourceHostError('timeout', 'The host did not answer.');
  };
  assert.equal((await change(made.id, { private_key: second.privateKey })).status, 503);
  const { body: sent } = await change(made.id, { private_key: second.privateKey });
  await sweepMuchLater();
  await usesAlone(sent);
});

test('of two requests with the same key at once none takes it away', async () => {
  const [first, second] = await Promise.all([sshKeygen('ed25519'), sshKeygen('ed25519')]);
  const { body: made } = await create({ private_key: first.privateKey });
  const answers = await Promise.all([
    change(made.id, { private_key: second.privateKey }),
    change(made.id, { private_key: second.privateKey }),
  ]);
  assert.deepEqual(
    answers.map(({ status, body }) => [status, body.fingerprint]),
    [
      [200, second.fingerprint],
      [200, second.fingerprint],
    ],
  );
  await sweepMuchLater();
  await usesAlone(answers[0].body);
});

test('a key of another project is refused', async () => {
  const { privateKey } = await sshKeygen('ed25519');
  await create({ private_key: privateKey });
  projectId = await setting.addProject(team, `other-${count}`);
  const { status, body } = await create({ private_key: privateKey });
  assert.deepEqual([status, body.code], [409, 'key_in_use']);
});

async function sweepMuchLater(): Promise<void> {
  const later = { ...setting.context, now: () => new Date(Date.now() + 180_000) };
  await removeRetiredKeys(later, AbortSignal.timeout(20_000));
}

/** The key is at the source host, and no other. */
async function usesAlone({ id, fingerprint }: { id: string; fingerprint: string }): Promise<void> {
  const { status, body } = await setting.call(team.token, 'GET', `/v1/deploy-keys/${id}`);
  assert.deepEqual([status, body.fingerprint, body.state], [200, fingerprint, 'active']);
  assert.equal(await keysAtHost(), 1);
}

test('Ebb makes the key again when none is brought along any more', async () => {
  const { privateKey, fingerprint } = await sshKeygen('ed25519');
  const { body: made } = await create({ private_key: privateKey });
  const { body } = await change(made.id, { private_key: null, rotate_when: { month: '2026-12' } });
  assert.equal(body.made_by, 'ebb');
  assert.notEqual(body.fingerprint, fingerprint);
});

test('what Ebb cannot rotate is refused with what to do', async () => {
  const { privateKey } = await sshKeygen('ed25519');
  const both = await create({ private_key: privateKey, rotate_when: { month: '2026-12' } });
  assert.equal(both.status, 422);
  assert.match(
    both.body.detail,
    /^rotate_when has no meaning for a key that you bring along\. Either remove it/,
  );
  const { body: made } = await create({ private_key: privateKey });
  assert.equal((await change(made.id, { rotate_when: { month: '2026-12' } })).status, 422);
  assert.equal((await change(made.id, { private_key: 'nonsense' })).status, 422);
  const path = `/v1/deploy-keys/${made.id}`;
  assert.deepEqual((await setting.call(team.token, 'GET', path)).body, made);
});

test('a key that is declared otherwise after a lost answer takes the place of what was left', async () => {
  const [first, second] = await Promise.all([sshKeygen('ed25519'), sshKeygen('ed25519')]);
  setting.fault.after = (method) => {
    if (method !== 'addDeployKey') return;
    delete setting.fault.after;
    throw new SourceHostError('unreachable', 'The connection broke.');
  };
  assert.equal((await create({ private_key: first.privateKey })).status, 503);
  const { status, body } = await create({ private_key: second.privateKey });
  assert.deepEqual([status, body.fingerprint], [201, second.fingerprint]);
  await setting.additionsEnded();
  assert.equal((await setting.call(team.token, 'DELETE', `/v1/projects/${projectId}`)).status, 204);
  assert.equal(await keysAtHost(), 0);
});
