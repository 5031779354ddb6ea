import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { finishKeyEncryptionRotation } from '../api/key-encryption/key-encryption-rotation.ts';
import type { WrappedKeyChange } from '../contract/key-encryption.ts';
import { keepKeys } from '../runner/custody/keep-keys.ts';
import type { KeyEncryptionKey } from '../runner/custody/key-encryption-key.ts';
import { makeKeyEncryptionKeyForTests } from '../runner/custody/key-encryption-key-for-tests.ts';
import { openVault } from '../runner/custody/open.ts';
import { rewrapKeys } from '../runner/custody/rewrap-keys.ts';
import { describeApi } from './describe-api.ts';
import {
  cloneProject,
  declareWithSecret,
  type KeyWork,
  openKeyWork,
  restartApiWith,
} from './key-work-for-tests.ts';

describeApi('rotation of the key-encryption key', (given) => {
  let work: KeyWork;
  let current: KeyEncryptionKey;
  let project: Awaited<ReturnType<typeof declareWithSecret>>;
  before(async () => {
    work = await openKeyWork(given());
    current = work.first;
    await restartApiWith(given(), current);
    project = await declareWithSecret(given(), work.admin);
  });

  /** A new key that the API wraps with from now on; the old one comes back. */
  async function rotate() {
    const before = current;
    current = makeKeyEncryptionKeyForTests().key;
    await restartApiWith(given(), current);
    return before;
  }
  const wrapped = async () =>
    await given()
      .context.database.selectFrom('project')
      .select(['id', 'wrapped_private_key', 'revoking_at'])
      .orderBy('id')
      .execute();
  const wrappedOf = async (id: string) =>
    (await wrapped()).find((row) => row.id === id)?.wrapped_private_key ?? '';
  const progress = async () => {
    const { controlPlane, signal } = work;
    return await controlPlane.request<{
      remaining: number;
      finished_at: string | null;
      wrapping_key: string;
    }>(...(['GET', '/v1/key-encryption', undefined, signal()] as const));
  };
  const auditOf = async (subject: string) =>
    (await work.admin.call('GET', `/v1/audit-events?subject=${subject}`)).body.items
      .filter(({ action }: { action: string }) => action.startsWith('project_key.'))
      .map(({ action, detail }: { action: string; detail: object }) => ({ action, ...detail }));
  /** How often a project's key was wrapped anew to the current one. */
  const timesRewrapped = async (subject: string) =>
    (await auditOf(subject)).filter(
      ({ action, to }: { action: string; to?: string }) =>
        action === 'project_key.rewrapped' && to === current.id,
    ).length;
  const events = async (prefix: string) =>
    await given()
      .context.database.selectFrom('audit_event')
      .select(['action', 'detail'])
      .where('action', 'like', `${prefix}%`)
      .orderBy('id')
      .execute();
  /** `ebb` as a process of its own. */
  const ebb = (words: string[], environment: Record<string, string>) =>
    new Promise<{ code: number; output: string }>((resolve) => {
      const env = { PATH: process.env.PATH, EBB_ENDPOINT: given().context.publicUrl, ...environment };
      execFile(
        process.execPath,
        [join(import.meta.dirname, '../cli/ebb.ts'), ...words],
        { env },
        (error, out, told) => resolve({ code: error ? Number(error.code) : 0, output: out + told }),
      );
    });
  async function claim() {
    const { body: build } = await work.admin.call('POST', '/v1/builds', { project_id: project.id });
    return await work.controlPlane.claim(build.id, `runner-1/${build.id}`, work.signal());
  }
  async function opens(specification: Awaited<ReturnType<typeof claim>>, older: KeyEncryptionKey[]) {
    const vault = await openVault({
      keyring: work.runner(current, older).keyring,
      wrappedPrivateKey: specification.wrapped_private_key,
      projectId: project.id,
    });
    const opened = await vault.open(specification.secrets[0]?.value ?? '', 'secret:TOKEN');
    return opened.use((bytes) => bytes.toString());
  }

  test('every key is wrapped anew, over many pages, and the team reads of begin, project and end', async () => {
    const made = await cloneProject(given(), project.id, 55);
    const old = await rotate();
    assert.equal((await progress()).remaining, 56);
    await finishKeyEncryptionRotation(given().context);
    assert.equal((await progress()).finished_at, null);

    assert.deepEqual(await rewrapKeys(work.runner(current, [old]), work.signal()), { done: 56, failed: 0 });
    for (const { wrapped_private_key } of await wrapped())
      assert.ok(wrapped_private_key?.startsWith(`${current.id} `));
    const names = { from: old.id, to: current.id };
    for (const id of [project.id, made[0] ?? '', made.at(-1) ?? ''])
      assert.deepEqual(await auditOf(id), [
        { action: 'project_key.rewrapped', ...names },
        { action: 'project_key.released', ...names },
      ]);

    await finishKeyEncryptionRotation(given().context);
    await finishKeyEncryptionRotation(given().context);
    const { remaining, finished_at, wrapping_key } = await progress();
    assert.deepEqual([remaining, typeof finished_at, wrapping_key], [0, 'string', current.id]);
    const told = await events('key_encryption_key.');
    assert.deepEqual(
      told.map(({ action, detail }) => ({ action, ...detail })),
      [
        { action: 'key_encryption_key.rotation_began', ...names },
        { action: 'key_encryption_key.rotation_ended', to: current.id },
      ],
    );
  });

  test('builds that were claimed before and after open with a runner that has both keys', async () => {
    const early = await claim();
    const old = await rotate();
    const between = await claim();
    assert.equal(await opens(early, [old]), 'hush-before');
    assert.equal(await opens(between, [old]), 'hush-before');
    await rewrapKeys(work.runner(current, [old]), work.signal());
    assert.equal(await opens(early, [old]), 'hush-before');
    assert.equal(await opens(await claim(), []), 'hush-before');
  });

  test('a runner that dies at any call leaves every key whole, and the next one goes on', async () => {
    const old = await rotate();
    const all = await wrapped();
    for (let diesAt = 1; (await progress()).remaining > 0; diesAt = (diesAt % 7) + 1) {
      await rewrapKeys(work.runner(current, [old], diesAt), work.signal()).catch(() => undefined);
      for (const { id, wrapped_private_key } of await wrapped()) {
        const keyring = work.runner(current, [old]).keyring;
        await openVault({ keyring, wrappedPrivateKey: wrapped_private_key ?? '', projectId: id });
      }
    }
    for (const { id } of all.slice(0, 5))
      assert.equal(await timesRewrapped(id), 1, 'each is wrapped anew once');
  });

  test('several runners at once do each project once', async () => {
    const old = await rotate();
    const runner = work.runner(current, [old]);
    await Promise.all([1, 2, 3].map(() => rewrapKeys(runner, work.signal())));
    assert.equal((await progress()).remaining, 0);
    assert.equal(await timesRewrapped(project.id), 1);
  });

  test('a project that is being revoked is neither listed nor touched', async () => {
    const [revoked = ''] = await cloneProject(given(), project.id, 1);
    const old = await rotate();
    const from = await wrappedOf(revoked);
    await given()
      .context.database.updateTable('project')
      .set({ revoking_at: new Date() })
      .where('id', '=', revoked)
      .execute();
    await rewrapKeys(work.runner(current, [old]), work.signal());
    assert.equal((await progress()).remaining, 0);
    const opened = await old.unwrap(from.split(' ')[1] ?? '', revoked);
    const to = await opened.use((bytes) => current.wrap(bytes, revoked));
    const change: WrappedKeyChange = { from, to };
    const put = work.controlPlane.request('PUT', `/v1/wrapped-keys/${revoked}`, change, work.signal());
    await assert.rejects(put, { code: 'changed_meanwhile' });
    assert.equal(await wrappedOf(revoked), from);
  });

  test('a runner and an API that do not have the same current key change nothing', async () => {
    const old = await rotate();
    const before = await wrappedOf(project.id);
    const other = makeKeyEncryptionKeyForTests().key;
    const { done, failed } = await rewrapKeys(work.runner(other, [old, current]), work.signal());
    assert.deepEqual([done, failed > 0], [0, true]);
    const to = await other.wrap(Buffer.from('x'), project.id);
    const change: WrappedKeyChange = { from: before, to };
    const put = work.controlPlane.request('PUT', `/v1/wrapped-keys/${project.id}`, change, work.signal());
    await assert.rejects(put, { code: 'other_wrapping_key' });
    assert.equal(await wrappedOf(project.id), before);
    await rewrapKeys(work.runner(current, [old]), work.signal());
  });

  test('a key that cannot be unwrapped holds up no other, and counts until it is gone', async () => {
    const [lost = ''] = await cloneProject(given(), project.id, 1);
    const { key: unknown } = makeKeyEncryptionKeyForTests();
    const set = async (wrapped_private_key: string | null) =>
      await given()
        .context.database.updateTable('project')
        .set({ wrapped_private_key })
        .where('id', '=', lost)
        .execute();
    await set(await unknown.wrap(Buffer.from('x'), lost));
    const old = await rotate();
    const { failed } = await rewrapKeys(work.runner(current, [old]), work.signal());
    assert.equal(failed, 1);
    await rewrapKeys(work.runner(current, [old]), work.signal());
    const names = { from: unknown.id, to: current.id };
    assert.deepEqual(
      await auditOf(lost),
      [{ action: 'project_key.released', ...names }],
      'handed out again and again, it is written down once',
    );
    assert.ok((await wrappedOf(project.id)).startsWith(`${current.id} `));
    await finishKeyEncryptionRotation(given().context);
    const { remaining, finished_at } = await progress();
    assert.deepEqual([remaining, finished_at], [1, null]);
    await set(null);
    await finishKeyEncryptionRotation(given().context);
    assert.equal((await progress()).remaining, 0);
  });

  test('a runner does it beside its builds, rotates what it is asked to, and people see how far it is', async () => {
    const old = await rotate();
    const asRunner = { EBB_API_KEY: given().keys.runner };
    const before = await ebb(['key-encryption'], asRunner);
    assert.equal(before.code, 1);
    assert.match(before.output, new RegExp(`^${old.id}  \\d+$`, 'm'));
    assert.match(before.output, /keys wait to be wrapped anew; runners still need the older ones/);

    const stop = new AbortController();
    const keeping = keepKeys(work.runner(current, [old]), stop.signal, 200);
    const rotated = await ebb(['rotate-key', project.id], { EBB_API_KEY: given().keys.admin });
    assert.deepEqual([rotated.code, /is rotated/.test(rotated.output)], [0, true], rotated.output);
    while ((await progress()).remaining > 0) await delay(50, undefined, { signal: work.signal() });
    const after = await ebb(['key-encryption'], asRunner);
    assert.equal(after.code, 0);
    assert.match(after.output, new RegExp(`^${current.id}  \\d+  current$`, 'm'));
    assert.equal(await opens(await claim(), []), 'hush-before');
    stop.abort();
    await keeping;
  });

  test('a start with the same key begins nothing, and nobody but runners sees wrapped keys', async () => {
    const count = (await events('key_encryption_key.')).length;
    await restartApiWith(given(), current);
    assert.equal((await events('key_encryption_key.')).length, count);
    for (const path of ['/v1/wrapped-keys', '/v1/key-encryption', '/v1/key-rotations'])
      assert.equal((await work.admin.call('GET', path)).status, 403);
  });
});
