import assert from 'node:assert/strict';
import { before, beforeEach, test } from 'node:test';
import { destroySecrets } from '../api/revocation/destroy-secrets.ts';
import { dump } from '../api/revocation/test-setting.ts';
import { addTeam, signIn } from '../api/test-client.ts';
import type { BuildSpecification } from '../contract/runner.ts';
import { makeKeyEncryptionKeyForTests } from '../runner/custody/key-encryption-key-for-tests.ts';
import { openVault } from '../runner/custody/open.ts';
import { rotateProjectKeys } from '../runner/custody/rotate-project-key.ts';
import { describeApi } from './describe-api.ts';
import { declareWithSecret, type KeyWork, openKeyWork, restartApiWith } from './key-work-for-tests.ts';

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

  test('the new key is wrapped with the current key of the runner, whatever wrapped the old one', async () => {
    const next = makeKeyEncryptionKeyForTests().key;
    await request();
    assert.equal(await run(work.runner(next, [work.first])), 1);
    assert.ok((await row()).wrapped_private_key?.startsWith(`${next.id} `));
  });

  test('the team reads who asked for it and what became of it; no other team may ask', async () => {
    const rotation = await request();
    await run();
    const { body } = await work.admin.call('GET', `/v1/audit-events?subject=${project.id}`);
    const told = body.items.map(({ action, actor, detail }: Record<string, { rotation: string }>) => [
      ...[action, String(actor).split('_')[0], detail?.rotation],
    ]);
    assert.deepEqual(told, [
      ['project_key.rotated', 'runner', rotation.id],
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
