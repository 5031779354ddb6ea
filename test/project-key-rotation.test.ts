import assert from 'node:assert/strict';
import { before, beforeEach, test } from 'node:test';
import { destroySecrets } from '../api/revocation/destroy-secrets.ts';
import { dump } from '../api/revocation/test-setting.ts';
import { addTeam, signIn } from '../api/test-client.ts';
import { CustodyError } from '../contract/custody/custody-error.ts';
import type { BuildSpecification } from '../contract/runner.ts';
import type { KeyEncryptionKey } from '../runner/custody/key-encryption-key.ts';
import { makeKeyEncryptionKeyForTests } from '../runner/custody/key-encryption-key-for-tests.ts';
import { openVault } from '../runner/custody/open.ts';
import { rotateProjectKeys } from '../runner/custody/rotate-project-key.ts';
import { describeApi } from './describe-api.ts';
import {
  cloneProject,
  declareWithSecret,
  type KeyWork,
  openKeyWork,
  restartApiWith,
} from './key-work-for-tests.ts';

interface Released {
  action: string;
  detail: { rotation?: string };
}

describeApi("rotation of a project's key pair", (given) => {
  let work: KeyWork;
  let project: Awaited<ReturnType<typeof declareWithSecret>>;
  before(async () => {
    work = await openKeyWork(given());
    await restartApiWith(given(), work.first);
  });
  beforeEach(async () => {
    project = await declareWithSecret(given(), work.admin);
  });

  const runner = (diesAt?: number) => work.runner(work.first, [], diesAt);
  const run = (with_ = runner()) => rotateProjectKeys(with_, work.signal());
  const request = async () =>
    (await work.admin.call('POST', `/v1/projects/${project.id}/key-rotations`)).body as { id: string };
  const stateOf = async ({ id }: { id: string }) =>
    (await work.admin.call('GET', `/v1/projects/${project.id}/key-rotations/${id}`)).body;
  const row = async () =>
    await given()
      .context.database.selectFrom('project')
      .select(['public_key', 'wrapped_private_key'])
      .where('id', '=', project.id)
      .executeTakeFirstOrThrow();
  const patchSecret = async (value: string) =>
    await work.admin.call('PATCH', `/v1/secrets/${project.secretId}`, { value });
  async function claim(): Promise<BuildSpecification> {
    const { body: build } = await work.admin.call('POST', '/v1/builds', { project_id: project.id });
    return await work.controlPlane.claim(build.id, `runner-1/${build.id}`, work.signal());
  }
  /** The secrets of a build by name, and how long the seed of its deploy key is. */
  async function open(specification: BuildSpecification): Promise<Record<string, string>> {
    const { keyring } = runner();
    const { wrapped_private_key: wrappedPrivateKey, deploy_key } = specification;
    const vault = await openVault({ keyring, wrappedPrivateKey, projectId: project.id });
    const opened: Record<string, string> = {};
    for (const { name, value } of specification.secrets)
      opened[name] = (await vault.open(value, `secret:${name}`)).use((bytes) => bytes.toString());
    const seed = await vault.open(deploy_key.private_key, 'deploy-key');
    return { ...opened, seed: seed.use((bytes) => bytes.toString('hex')) };
  }
  /** What the audit says was handed out for rotations. */
  const released = async () =>
    (await work.admin.call('GET', `/v1/audit-events?subject=${project.id}&limit=100`)).body.items
      .filter(({ action, detail }: Released) => action === 'project_key.released' && detail.rotation)
      .map(({ detail }: Released) => detail);
  /** Brings a new private key that `wrapper` wrapped, as if all values were sealed to it. */
  async function result({ id }: { id: string }, wrapper: KeyEncryptionKey) {
    const { public_key, wrapped_private_key: from } = await row();
    const wrapped_private_key = await wrapper.wrap(Buffer.from('x'), project.id);
    const body = { from, public_key, wrapped_private_key, deploy_key: null, secrets: [] };
    return await work.controlPlane.request('POST', `/v1/key-rotations/${id}/result`, body, work.signal());
  }
  /** A runner during whose first work something else happens. */
  function disturbed(disturb: () => Promise<unknown>) {
    const calm = runner();
    let due = true;
    return {
      ...calm,
      controlPlane: {
        ...calm.controlPlane,
        async request<T>(...call: Parameters<typeof calm.controlPlane.request>): Promise<T> {
          if (due && call[1].endsWith('/result')) {
            due = false;
            await disturb();
          }
          return await calm.controlPlane.request<T>(...call);
        },
      },
    };
  }

  test('everything is sealed anew, opens as before, and nothing of the old is left in any row', async () => {
    const [early, old] = [await claim(), await row()];
    const before = await open(early);
    const rotation = await request();
    assert.equal((await stateOf(rotation)).state, 'waiting');
    assert.deepEqual(await request(), await stateOf(rotation), 'one at a time');
    assert.equal(await run(), 1);
    const { state, finished_at, reason } = await stateOf(rotation);
    assert.deepEqual([state, typeof finished_at, reason], ['done', 'string', null]);

    const late = await claim();
    assert.deepEqual(await open(late), before);
    assert.equal(before.TOKEN, 'hush-before');
    const { keyring } = runner();
    const vault = await openVault({
      ...{ keyring, wrappedPrivateKey: late.wrapped_private_key, projectId: project.id },
    });
    await assert.rejects(vault.open(early.deploy_key.private_key, 'deploy-key'), /it was rotated/);
    const everything = await dump(given().context);
    for (const gone of [old.wrapped_private_key ?? '', early.deploy_key.private_key, old.public_key.x ?? ''])
      assert.ok(!everything.includes(gone));
    assert.deepEqual(await open(early), before, 'a build goes on with what it claimed');
    assert.equal(await run(), 0);
  });

  test('a secret that is changed, added or removed meanwhile makes it start over, and is not lost', async () => {
    const first = await request();
    await run(disturbed(() => patchSecret('hush-after')));
    assert.equal((await stateOf(first)).state, 'done');
    assert.deepEqual((await open(await claim())).TOKEN, 'hush-after');

    await request();
    const more = { project_id: project.id, name: 'MORE', value: 'hush-more' };
    await run(disturbed(() => work.admin.call('POST', '/v1/secrets', more)));
    assert.equal((await open(await claim())).MORE, 'hush-more');

    await request();
    await run(disturbed(() => work.admin.call('DELETE', `/v1/secrets/${project.secretId}`)));
    const { TOKEN, MORE } = await open(await claim());
    assert.deepEqual([TOKEN, MORE], [undefined, 'hush-more']);
  });

  test('a secret that was sealed before and is stored after is sealed once more', async () => {
    const { custody } = given().context;
    const { seal } = custody;
    await request();
    let due = true;
    custody.seal = async (plaintext, to) => {
      const sealed = await seal(plaintext, to);
      if (due && to.purpose === 'secret:LATE') {
        due = false;
        assert.equal(await run(), 1);
      }
      return sealed;
    };
    const late = { project_id: project.id, name: 'LATE', value: 'hush-late' };
    assert.equal((await work.admin.call('POST', '/v1/secrets', late)).status, 201);
    custody.seal = seal;
    assert.equal((await open(await claim())).LATE, 'hush-late');
  });

  test('a change that was sealed before and is stored after is refused, to be sent again', async () => {
    const { custody } = given().context;
    const { seal } = custody;
    await request();
    custody.seal = async (plaintext, to) => {
      custody.seal = seal;
      const sealed = await seal(plaintext, to);
      await run();
      return sealed;
    };
    const refused = await patchSecret('hush-late');
    assert.deepEqual([refused.status, refused.body.code], [409, 'changed_meanwhile']);
    assert.equal((await open(await claim())).TOKEN, 'hush-before');
    assert.equal((await patchSecret('hush-late')).status, 200);
    assert.equal((await open(await claim())).TOKEN, 'hush-late');
  });

  test('a runner that dies at any call leaves the project whole, and the next one goes on', async () => {
    const before = await open(await claim());
    for (let diesAt = 1; diesAt <= 4; diesAt++) {
      const rotation = await request();
      await run(runner(diesAt)).catch(() => undefined);
      assert.deepEqual(await open(await claim()), before);
      await run();
      assert.equal((await stateOf(rotation)).state, 'done');
      assert.deepEqual(await open(await claim()), before);
    }
  });

  test('of several runners at once one does it', async () => {
    await request();
    const done = await Promise.all([run(), run(), run()]);
    assert.equal(
      done.reduce((sum, count) => sum + count, 0),
      1,
    );
    assert.equal((await open(await claim())).TOKEN, 'hush-before');
  });

  test('a value that does not open ends it with the reason, and everything stays', async () => {
    const { database, custody } = given().context;
    const old = await row();
    const to = { publicKey: old.public_key, projectId: 'prj_another', purpose: 'secret:TOKEN' } as const;
    const foreign = await custody.seal(Buffer.from('hush-foreign'), to);
    await database
      .updateTable('secret')
      .set({ sealed_value: foreign })
      .where('id', '=', project.secretId)
      .execute();
    const rotation = await request();
    assert.equal(await run(), 0);
    const { state, reason } = await stateOf(rotation);
    assert.equal(state, 'failed');
    assert.match(reason, /sealed for another project or purpose.*secret:TOKEN.*Declare that value anew/);
    assert.deepEqual(await row(), old);
    await patchSecret('hush-repaired');
    const again = await request();
    assert.equal(await run(), 1);
    assert.notEqual(again.id, rotation.id);
    assert.equal((await open(await claim())).TOKEN, 'hush-repaired');
  });

  test('a revocation in between ends it, and what a runner brings then is refused', async () => {
    const { database } = given().context;
    const rotation = await request();
    await run(
      disturbed(async () => {
        await database
          .updateTable('project')
          .set({ revoking_at: new Date() })
          .where('id', '=', project.id)
          .execute();
        await destroySecrets(database, project.id);
      }),
    );
    const { state, reason } = await stateOf(rotation);
    assert.deepEqual([state, reason], ['failed', 'The project was revoked.']);
    assert.equal((await row()).wrapped_private_key, null);
    const refused = await work.admin.call('POST', `/v1/projects/${project.id}/key-rotations`);
    assert.deepEqual([refused.status, refused.body.code], [409, 'project_revoked']);
  });

  test('whatever wrapped the old key, the new one is wrapped with what the API wraps with', async () => {
    const [next, old] = [makeKeyEncryptionKeyForTests().key, work.first];
    const rotation = await request();
    await restartApiWith(given(), next);
    assert.equal(await run(work.runner(next, [old])), 1);
    assert.equal((await stateOf(rotation)).state, 'done');
    assert.ok((await row()).wrapped_private_key?.startsWith(`${next.id} `));
    await restartApiWith(given(), old);
  });

  test('while runners start again with a new key, none wraps to it: those of before can build on', async () => {
    const next = makeKeyEncryptionKeyForTests().key;
    const restarted = work.runner(next, [work.first]);
    const rotation = await request();
    assert.equal(await run(restarted), 0);
    assert.deepEqual(await released(), [], 'nothing was handed out for it');
    assert.equal((await open(await claim())).TOKEN, 'hush-before');
    await assert.rejects(result(rotation, next), { code: 'other_wrapping_key' });
    assert.equal(await run(), 1);
    assert.equal((await open(await claim())).TOKEN, 'hush-before');
  });

  test('a runner that cannot unwrap the key, or may not wrap, leaves it to one that can', async () => {
    const refusing = async () => {
      throw new CustodyError('not_allowed', 'AWS KMS did not unwrap the key: the key is disabled.');
    };
    const able = runner();
    const lacking = makeKeyEncryptionKeyForTests().keyring;
    const keyrings = [
      { ...able.keyring, unwrap: lacking.unwrap },
      { ...able.keyring, unwrap: refusing },
      { ...able.keyring, current: { ...able.keyring.current, wrap: refusing } },
    ];
    const rotation = await request();
    for (const keyring of keyrings) {
      const notBefore = new Map<string, number>();
      assert.equal(await rotateProjectKeys({ ...able, keyring }, work.signal(), notBefore), 0);
      assert.equal((await stateOf(rotation)).state, 'waiting');
      assert.ok((notBefore.get(rotation.id) ?? 0) > Date.now(), 'it is not tried all the time');
      assert.equal(await rotateProjectKeys(able, work.signal(), notBefore), 0);
    }
    assert.equal(await run(), 1);
    assert.equal((await stateOf(rotation)).state, 'done');
  });

  test('rotations that nobody here can do hold up no other', async () => {
    const others = await cloneProject(given(), project.id, 55);
    for (const id of others) await work.admin.call('POST', `/v1/projects/${id}/key-rotations`);
    const { key } = makeKeyEncryptionKeyForTests();
    await given()
      .context.database.updateTable('project')
      .set({ wrapped_private_key: await key.wrap(Buffer.from('x'), 'prj_x') })
      .where('id', 'in', others)
      .execute();
    await request();
    assert.equal(await run(), 1);
    await given().context.database.deleteFrom('key_rotation').where('project_id', 'in', others).execute();
  });

  test('what is handed out is in the audit before a runner can open it, once for the same again', async () => {
    const rotation = await request();
    await run(runner(2)).catch(() => undefined);
    assert.deepEqual(await released(), [], 'the call was not sent');
    const dying = () => disturbed(() => Promise.reject(new Error('died before the result')));
    for (let times = 0; times < 3; times++) assert.equal(await run(dying()), 0);
    const { fingerprint } = await given()
      .context.database.selectFrom('deploy_key')
      .select('fingerprint')
      .where('project_id', '=', project.id)
      .executeTakeFirstOrThrow();
    const told = { rotation: rotation.id, deploy_key: fingerprint, secrets: ['TOKEN'] };
    assert.deepEqual(await released(), [told]);
    await patchSecret('hush-after');
    await run();
    assert.deepEqual(await released(), [told, told], 'another value is another opening');
  });

  test('the team reads who asked for it and what became of it; no other team may ask', async () => {
    const rotation = await request();
    await run();
    const { body } = await work.admin.call('GET', `/v1/audit-events?subject=${project.id}`);
    const ofKey = body.items.filter(({ action }: Released) => action.startsWith('project_key.'));
    const told = ofKey.map(({ action, actor, detail }: Record<string, { rotation: string }>) => [
      ...[action, String(actor).split('_')[0], detail?.rotation],
    ]);
    assert.deepEqual(told, [
      ['project_key.rotated', 'runner', rotation.id],
      ['project_key.released', 'key', rotation.id],
      ['project_key.rotation_requested', 'key', rotation.id],
    ]);
    const name = `team-${project.id.slice(-6)}x`;
    const stranger = await signIn(given(), await addTeam(given(), name));
    const path = `/v1/projects/${project.id}/key-rotations`;
    assert.equal((await stranger.call('POST', path)).status, 404);
    assert.equal((await stranger.call('GET', `${path}/${rotation.id}`)).status, 404);
    assert.equal((await work.admin.call('GET', `/v1/key-rotations/${rotation.id}/task`)).status, 403);
  });
});
