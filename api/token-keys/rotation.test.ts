import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { before, describe, test } from 'node:test';
import { sql } from 'kysely';
import { describeApi } from '../../test/describe-api.ts';
import { buildApp } from '../app.ts';
import { createTokenKeySealing } from '../custody/custody.ts';
import { type Client, requestToken, send, signIn } from '../test-client.ts';
import type { TestContext } from '../test-context.ts';
import { keyAtWork } from './key-at-work.ts';
import {
  ensureTokenKey,
  forgetTokenKeys,
  type RotationContext,
  replaceTokenKeys,
  rotateOldTokenKey,
  rotateTokenKey,
} from './rotate-token-key.ts';
import { keptAfterSeconds, oldAfterSeconds, publishedAheadSeconds } from './times.ts';
import { listTokenKeys } from './token-key-store.ts';
import { createTokenSigner } from './token-signer.ts';

const longestBuildSeconds = 6 * 3_600 + 600;

describeApi('the keys that sign tokens', (given) => {
  let one: TestContext;
  /** Another process of the API, with the same database. */
  let other: TestContext;
  let rotation: RotationContext;
  let admin: Client;
  before(async () => {
    one = given();
    const { context } = one;
    rotation = { ...context, sealing: context.custody.tokenKeySealing };
    const { database, publicUrl: issuer, now } = context;
    const tokens = createTokenSigner({ database, sealing: rotation.sealing, issuer, now });
    other = { ...one, app: await buildApp({ ...context, tokens }) };
    admin = await signIn(one, one.keys.admin);
  });

  /** As if so many seconds had passed for the keys, but not for tokens. */
  const wait = async (seconds: number) => {
    for (const column of ['published_at', 'signs_from', 'signs_until'] as const)
      await sql`update token_key set ${sql.ref(column)} = ${sql.ref(column)} - make_interval(secs => ${seconds})`.execute(
        one.context.database,
      );
  };
  /** Until each process looks again. */
  const second = () => new Promise((resolve) => setTimeout(resolve, 1_050));
  const published = async (process: TestContext): Promise<string[]> => {
    const { body } = await send(process, { method: 'GET', url: '/.well-known/jwks.json' });
    const keys: { kid: string; ebb_use: string }[] = body.keys;
    return keys.filter(({ ebb_use }) => ebb_use === 'token').map(({ kid }) => kid);
  };
  const kidOf = (token: string): string =>
    JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid;
  const works = async (process: TestContext, token: string) => {
    const headers = { authorization: `Bearer ${token}` };
    return (await send(process, { method: 'GET', url: '/v1/projects', headers })).status === 200;
  };
  const newToken = async (process: TestContext) => (await signIn(process, one.keys.admin)).token;
  const trail = async (action: string) => {
    const rows = await one.context.database
      .selectFrom('audit_event')
      .innerJoin('team', 'team.id', 'audit_event.team_id')
      .select(['team.name', 'actor', 'subject', 'detail'])
      .where('action', '=', action)
      .orderBy('seq')
      .execute();
    return rows.at(-1);
  };

  test('the next one is published by every process before one signs with it', async () => {
    const old = kidOf(admin.token);
    const { kid } = await rotateTokenKey(rotation, 'operator');
    await second();
    for (const process of [one, other]) {
      assert.deepEqual(await published(process), [old, kid]);
      assert.equal(kidOf(await newToken(process)), old);
    }
    const { headers } = await send(one, { method: 'GET', url: '/.well-known/jwks.json' });
    const [, kept = ''] = /max-age=(\d+), must-revalidate/.exec(String(headers['cache-control'])) ?? [];
    // What was fetched just before the key was published is not kept any more when it signs, with a minute of clocks that differ.
    assert.ok(Number(kept) > 0 && Number(kept) + 1 + 60 < publishedAheadSeconds);
    await wait(publishedAheadSeconds);
    await second();
    for (const process of [one, other]) assert.equal(kidOf(await newToken(process)), kid);
  });

  test('a token of before is good on every process until it expires, and its key is published until then', async () => {
    const before = await newToken(one);
    await rotateTokenKey(rotation, 'operator');
    await wait(publishedAheadSeconds + keptAfterSeconds - 60);
    await forgetTokenKeys(rotation);
    await second();
    for (const process of [one, other]) {
      assert.ok(await works(process, before));
      assert.ok((await published(process)).includes(kidOf(before)));
      assert.ok(await works(process, await newToken(process)));
    }
    assert.ok(keptAfterSeconds > 24 * 3_600 && keptAfterSeconds > longestBuildSeconds);
    await wait(120);
    await forgetTokenKeys(rotation);
    await second();
    for (const process of [one, other]) {
      assert.ok(!(await works(process, before)));
      assert.ok(!(await published(process)).includes(kidOf(before)));
    }
  });

  test('no token outlives its key', async () => {
    const claims = { sub: 'key_1', team: 'team_1', scope: '' };
    await assert.rejects(one.context.tokens.sign(claims, keptAfterSeconds), /must not outlive/);
  });

  test('a rotation that is asked for again, or by two at once, is one', async () => {
    const before = await published(one);
    const asked = await Promise.all([1, 2, 3].map(() => rotateTokenKey(rotation, 'operator')));
    assert.equal(new Set(asked.map(({ kid }) => kid)).size, 1);
    await second();
    assert.equal((await published(one)).length, before.length + 1);
    await wait(publishedAheadSeconds);
  });

  test('one that is killed before its end has not begun', async () => {
    const before = await listTokenKeys(rotation.database);
    const signer = {
      ...rotation.signer,
      signAuditHead: () => {
        throw new Error('killed');
      },
    };
    await assert.rejects(rotateTokenKey({ ...rotation, signer }, 'operator'), /killed/);
    await assert.rejects(replaceTokenKeys({ ...rotation, signer }, 'operator'), /killed/);
    assert.deepEqual(await listTokenKeys(rotation.database), before);
  });

  test('a month old, a key gets a successor by itself, from one process alone', async () => {
    assert.equal(await rotateOldTokenKey(rotation), undefined);
    await wait(oldAfterSeconds);
    const begun = await Promise.all([1, 2].map(() => rotateOldTokenKey(rotation)));
    const [rotated, ...more] = begun.filter((result) => result !== undefined);
    assert.ok(rotated && more.length === 0);
    const entry = await trail('token_key.rotated');
    assert.deepEqual([entry?.name, entry?.actor, entry?.subject], ['ebb-operators', 'ebb', rotated.kid]);
    await wait(publishedAheadSeconds);
  });

  test('replaced at once, every token of before is refused by every process, and new ones are good', async () => {
    await second();
    const tokens = [await newToken(one), await newToken(other)];
    for (const token of tokens) assert.ok(await works(other, token));
    const { kid, dropped } = await replaceTokenKeys(rotation, 'operator');
    assert.ok(dropped.includes(kidOf(tokens[0] ?? '')));
    await second();
    for (const process of [one, other]) {
      for (const token of tokens) assert.ok(!(await works(process, token)));
      const fresh = await newToken(process);
      assert.equal(kidOf(fresh), kid);
      for (const where of [one, other]) assert.ok(await works(where, fresh));
      assert.deepEqual(await published(process), [kid]);
    }
    const entry = await trail('token_key.replaced');
    assert.deepEqual([entry?.actor, entry?.subject, entry?.detail], ['operator', kid, { dropped, to: kid }]);
  });

  test('a process that did not read them since takes a token of a key that is new to it', async () => {
    await works(other, await newToken(one));
    await replaceTokenKeys(rotation, 'operator');
    await second();
    const fresh = await newToken(one);
    assert.ok(await works(other, fresh));
  });

  test('a start changes nothing where there is a key, whatever the configuration has', async () => {
    const before = await listTokenKeys(rotation.database);
    await ensureTokenKey(rotation, generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }));
    assert.deepEqual(await listTokenKeys(rotation.database), before);
  });

  test('the private half is in the database sealed alone, and not at all once it signs no more', async () => {
    const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
    await rotation.database.deleteFrom('token_key').execute();
    await ensureTokenKey(rotation, jwk);
    await second();
    const token = await newToken(one);
    const rows = async () =>
      JSON.stringify((await sql`select * from token_key`.execute(rotation.database)).rows);
    const seed = Buffer.from(String(jwk.d), 'base64url');
    const sealed = (await listTokenKeys(rotation.database))[0]?.sealed_private_key ?? Buffer.alloc(0);
    assert.ok(sealed.length > seed.length && !Buffer.from(sealed).includes(seed));
    assert.ok(!(await rows()).includes(String(jwk.d)));
    await rotateTokenKey(rotation, 'operator');
    await wait(3 * publishedAheadSeconds);
    await forgetTokenKeys(rotation);
    const [old, next] = await listTokenKeys(rotation.database);
    assert.deepEqual([old?.sealed_private_key, next?.sealed_private_key === null], [null, false]);
    await second();
    assert.ok(await works(one, token));
  });

  test('under another master key nothing is signed and nothing rotated, and the message says what to do', async () => {
    const before = await listTokenKeys(rotation.database);
    const sealing = createTokenKeySealing(randomBytes(32));
    const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
    for (const tried of [
      () => ensureTokenKey({ ...rotation, sealing }, jwk),
      () => rotateTokenKey({ ...rotation, sealing }, 'operator'),
    ])
      await assert.rejects(tried, /another master key than that of EBB_KEYS_DIR.*ebb token-key replace/);
    assert.deepEqual(await listTokenKeys(rotation.database), before);
  });

  test('while the database is away a good token is not called a bad one', async () => {
    const token = await newToken(one);
    const { database } = one.context;
    const away = new Proxy(database, {
      get: (target, name) => {
        if (name === 'selectFrom') throw new Error('connect ECONNREFUSED');
        return Reflect.get(target, name);
      },
    });
    const tokens = createTokenSigner({
      ...{ database: away, sealing: rotation.sealing, issuer: 'http://ebb.test', now: () => new Date() },
    });
    const app = await buildApp({ ...one.context, tokens });
    const answer = await send(
      { ...one, app },
      { method: 'GET', url: '/v1/projects', headers: { authorization: `Bearer ${token}` } },
    );
    assert.ok(answer.status >= 500, answer.text);
    assert.equal((await requestToken({ ...one, app }, { client_secret: one.keys.admin })).status, 500);
    await app.close();
  });
});

describe('the key at work', () => {
  const at = (seconds: number) => new Date(seconds * 1000);
  const key = (name: string, from: number, sealed_private_key: unknown = name) => ({
    ...{ name, signs_from: at(from), sealed_private_key },
  });
  const nameAt = (seconds: number, ...keys: ReturnType<typeof key>[]) => keyAtWork(keys, at(seconds))?.name;

  test('is the last whose time has come', () => {
    const keys = [key('a', 0), key('b', 100), key('c', 200)];
    assert.deepEqual(
      [0, 99, 100, 199, 200, 9_999].map((seconds) => nameAt(seconds, ...keys)),
      ['a', 'a', 'b', 'b', 'c', 'c'],
    );
  });

  test('is one of which there is a private half, also where the clock is behind', () => {
    assert.equal(nameAt(50, key('a', 0, null), key('b', 100)), 'b');
    assert.equal(nameAt(50), undefined);
  });
});
