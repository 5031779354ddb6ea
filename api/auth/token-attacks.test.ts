import assert from 'node:assert/strict';
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
  sign,
} from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { CompactEncrypt } from 'jose';
import { created, declareProject, send, signIn } from '../test-client.ts';
import { openTestContext, type TestContext } from '../test-context.ts';
import { replaceTokenKeys, rotateTokenKey } from '../token-keys/rotate-token-key.ts';
import { listTokenKeys, openPrivateHalf } from '../token-keys/token-key-store.ts';

/*
 * What others tried on JWTs (RFC 8725, and the advisories of JWT libraries), on Ebb's own over HTTP. Where it says signed, it is signed
 * with the very key of Ebb: what is refused then is refused for what stands in it.
 */

let given: TestContext;
let url: string;
let kid: string;
let key: KeyObject;
let claims: Record<string, unknown>;
let token: string;

before(async () => {
  given = await openTestContext();
  await given.listen();
  url = given.context.publicUrl;
  ({ token } = await signIn(given, given.keys.admin));
  claims = part(token, 1);
  kid = String(part(token, 0).kid);
  key = await keyOf(kid);
});
after(() => given.close());

const seconds = () => Math.floor(Date.now() / 1000);
const base64url = (text: string | Uint8Array) => Buffer.from(text).toString('base64url');
const part = (text: string, index: number): Record<string, unknown> =>
  JSON.parse(Buffer.from(text.split('.')[index] ?? '', 'base64url').toString());

async function keyOf(id: string): Promise<KeyObject> {
  const { database, custody } = given.context;
  const row = (await listTokenKeys(database)).find((candidate) => candidate.kid === id);
  assert.ok(row);
  return createPrivateKey({ key: openPrivateHalf(custody.tokenKeySealing, row), format: 'jwk' });
}

type Members = Record<string, unknown> | string;
const text = (members: Members) => (typeof members === 'string' ? members : JSON.stringify(members));
const header = (more: Record<string, unknown> = {}) => ({ alg: 'EdDSA', typ: 'at+jwt', kid, ...more });

/** A token with this header and payload, signed with Ebb's key unless another signs. */
function signed(head: Members, payload: Members, by = (input: Buffer) => sign(null, input, key)): string {
  const input = `${base64url(text(head))}.${base64url(text(payload))}`;
  return `${input}.${base64url(by(Buffer.from(input)))}`;
}
const without = (name: string) => Object.fromEntries(Object.entries(claims).filter(([one]) => one !== name));
const withClaims = (more: Record<string, unknown>) => signed(header(), { ...claims, ...more });

async function ask(authorization: string) {
  const answer = await fetch(`${url}/v1/projects`, { headers: { authorization } });
  const body = await answer.text();
  return { status: answer.status, challenge: answer.headers.get('www-authenticate'), body };
}

/** Refused as any other, with a challenge by RFC 6750 and not a word of what was wrong. */
async function refused(attack: string, code = 'invalid_token') {
  const { status, challenge, body } = await ask(`Bearer ${attack}`);
  assert.deepEqual([status, challenge], [401, 'Bearer realm="Ebb", error="invalid_token"'], body);
  const { request_id, ...problem } = JSON.parse(body);
  assert.equal(problem.code, code);
  if (code !== 'invalid_token') return;
  const { request_id: _, ...ofNonsense } = JSON.parse((await ask('Bearer nonsense')).body);
  assert.deepEqual(problem, ofNonsense);
}

const hmac =
  (secret: string | Buffer, hash = 'sha256') =>
  (input: Buffer) =>
    createHmac(hash, secret).update(input).digest();
const publicKey = () => createPublicKey(key);
const pem = () => String(publicKey().export({ format: 'pem', type: 'spki' }));
const own = generateKeyPairSync('ed25519');
const ownJwk = own.publicKey.export({ format: 'jwk' });
const byOwn = (input: Buffer) => sign(null, input, own.privateKey);
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const ed448 = generateKeyPairSync('ed448').privateKey;
const swapped = (spelling: string) =>
  token
    .split('.')
    .map((one, index) => (index === 2 ? spelling : one))
    .join('.');
const signature = () => token.split('.')[2] ?? '';
const [, payloadOf] = [0, () => token.split('.')[1] ?? ''] as const;

const attacks: Record<string, Record<string, () => string | Promise<string>>> = {
  'no signature': {
    'alg none': () => signed(header({ alg: 'none' }), claims, () => Buffer.alloc(0)),
    'alg nOnE': () => signed(header({ alg: 'nOnE' }), claims, () => Buffer.alloc(0)),
    'no alg': () => signed({ typ: 'at+jwt', kid }, claims),
    'an empty signature': () => swapped(''),
    'a signature of zeros': () => swapped(base64url(Buffer.alloc(64))),
    'two parts': () => token.split('.').slice(0, 2).join('.'),
  },
  'another algorithm': {
    'HS256 with the published x as secret': () =>
      signed(header({ alg: 'HS256' }), claims, hmac(String(publicKey().export({ format: 'jwk' }).x))),
    'HS256 with the raw public key as secret': () =>
      signed(
        header({ alg: 'HS256' }),
        claims,
        hmac(Buffer.from(String(publicKey().export({ format: 'jwk' }).x), 'base64url')),
      ),
    'HS256 with the public key in PEM as secret': () => signed(header({ alg: 'HS256' }), claims, hmac(pem())),
    'HS512 with an empty secret': () => signed(header({ alg: 'HS512' }), claims, hmac('', 'sha512')),
    ES256: () => signed(header({ alg: 'ES256' }), claims, (input) => sign('sha256', input, ec)),
    RS256: () => signed(header({ alg: 'RS256' }), claims, (input) => sign('sha256', input, rsa)),
    'Ed448 under the name EdDSA': () => signed(header(), claims, (input) => sign(null, input, ed448)),
    'the name Ed25519, signed': () => signed(header({ alg: 'Ed25519' }), claims),
    'alg as a list, signed': () => signed(header({ alg: ['EdDSA'] }), claims),
  },
  'a key of one’s own': {
    'under the kid of Ebb’s': () => signed(header(), claims, byOwn),
    'under a kid of one’s own': () => signed(header({ kid: 'mine' }), claims, byOwn),
    'embedded as jwk': () => signed(header({ jwk: ownJwk }), claims, byOwn),
    'at an address of jku': () => signed(header({ jku: 'http://127.0.0.1:1/jwks' }), claims, byOwn),
    'at an address of x5u': () => signed(header({ x5u: 'http://127.0.0.1:1/cert' }), claims, byOwn),
    'as x5c': () => signed(header({ x5c: ['MIIB'] }), claims, byOwn),
  },
  'a header that is not Ebb’s, signed': {
    jwk: () => signed(header({ jwk: publicKey().export({ format: 'jwk' }) }), claims),
    jku: () => signed(header({ jku: 'http://127.0.0.1:1/jwks' }), claims),
    'crit of what nobody knows': () => signed(header({ crit: ['exp'], exp: 1 }), claims),
    'crit and b64': () => signed(header({ crit: ['b64'], b64: false }), claims),
    'an empty crit': () => signed(header({ crit: [] }), claims),
    zip: () => signed(header({ zip: 'DEF' }), claims),
    'alg twice': () => signed(`{"alg":"none","alg":"EdDSA","typ":"at+jwt","kid":"${kid}"}`, claims),
    'kid twice': () => signed(`{"alg":"EdDSA","typ":"at+jwt","kid":"x","kid":"${kid}"}`, claims),
    spaces: () => signed(` ${JSON.stringify(header())}`, claims),
    'no JSON': () => signed('header', claims),
    'a list': () => signed('[]', claims),
    null: () => signed('null', claims),
    __proto__: () => signed(`{"__proto__":{"alg":"EdDSA"},"typ":"at+jwt","kid":"${kid}"}`, claims),
  },
  'a kid that leads elsewhere': Object.fromEntries(
    [
      ...['../../../../dev/null', '/etc/passwd', 'file:///etc/passwd', 'http://127.0.0.1:1/key', ''],
      ...["' or '1'='1", "x' union select 'AA'--", '\u0000', '__proto__', 'x'.repeat(3_000)],
      ...[['x'], { kid: 'x' }, 1, null, undefined],
    ].map((value) => [
      JSON.stringify(value)?.slice(0, 30) ?? 'none',
      () => signed(header({ kid: value }), claims, hmac('')),
    ]),
  ),
  'another type, signed': {
    JWT: () => signed(header({ typ: 'JWT' }), claims),
    'an id token': () => signed(header({ typ: 'JWT' }), { ...claims, nonce: 'n', auth_time: seconds() }),
    none: () => signed({ alg: 'EdDSA', kid }, claims),
    'application/at+jwt': () => signed(header({ typ: 'application/at+jwt' }), claims),
    'secevent+jwt': () => signed(header({ typ: 'secevent+jwt' }), claims),
    cty: () => signed(header({ cty: 'JWT' }), token),
  },
  'claims that are not good now, signed': {
    'another issuer': () => withClaims({ iss: 'https://else.example.com' }),
    'the issuer with a slash': () => withClaims({ iss: `${claims.iss}/` }),
    'issuers in a list': () => withClaims({ iss: [claims.iss] }),
    'another audience': () => withClaims({ aud: 'other' }),
    'audiences in a list': () => withClaims({ aud: ['other', 'ebb'] }),
    expired: () => withClaims({ iat: seconds() - 1_000, exp: seconds() - 1 }),
    'not yet valid': () => withClaims({ nbf: seconds() + 600 }),
    'given in the future': () => withClaims({ iat: seconds() + 600, exp: seconds() + 900 }),
    'for a year': () => withClaims({ exp: seconds() + 365 * 86_400 }),
    'for ever': () => withClaims({ exp: 9e15 }),
  },
  'missing claims, signed': Object.fromEntries(
    ['iss', 'aud', 'iat', 'exp', 'jti', 'sub', 'team', 'scope'].map((name) => [
      name,
      () => signed(header(), without(name)),
    ]),
  ),
  'claims of wrong types, signed': {
    'exp as text': () => withClaims({ exp: String(claims.exp) }),
    'exp with a fraction': () => withClaims({ exp: seconds() + 100.5 }),
    'exp null': () => withClaims({ exp: null }),
    'nbf as text': () => withClaims({ nbf: '0' }),
    'sub as a number': () => withClaims({ sub: 1 }),
    'sub empty': () => withClaims({ sub: '' }),
    'team as a list': () => withClaims({ team: [claims.team] }),
    'scope as a list': () => withClaims({ scope: ['projects:read'] }),
    'project as a number, which would be no limit': () => withClaims({ project: 1 }),
    'project null': () => withClaims({ project: null }),
    'build as an object': () => withClaims({ build: {} }),
    'renewed as text': () => withClaims({ renewed: 'true' }),
    'jti as a number': () => withClaims({ jti: 1 }),
    'a list for all': () => signed(header(), '[]'),
    'text for all': () => signed(header(), '"x"'),
    'no JSON': () => signed(header(), 'x'),
    'no UTF-8': () => {
      const input = `${base64url(JSON.stringify(header()))}.${base64url(Buffer.of(0xff, 0xfe))}`;
      return `${input}.${base64url(sign(null, Buffer.from(input), key))}`;
    },
  },
  'another spelling of a good token': {
    'a claim twice, signed': () =>
      signed(header(), JSON.stringify(claims).replace('{', '{"scope":"runner",')),
    'the project twice, signed': () => signed(header(), JSON.stringify(claims).replace(/}$/, ',"team":"x"}')),
    'bits beyond the signature’s end': () => {
      const last = signature().at(-1) ?? '';
      const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
      return swapped(signature().slice(0, -1) + alphabet[alphabet.indexOf(last) ^ 1]);
    },
    padding: () => `${token}==`,
    'base64 for base64url': () =>
      swapped(Buffer.from(signature(), 'base64url').toString('base64').replace(/=+$/, '/')),
    'a character in the middle that is none': () =>
      swapped(`${signature().slice(0, 5)}!${signature().slice(5)}`),
    'a point at the end': () => `${token}.`,
    'a point before': () => `.${token}`,
    'cut off': () => token.slice(0, -1),
    'without its beginning': () => token.slice(1),
    'one bit of the payload changed': () =>
      token.replace(payloadOf(), base64url(JSON.stringify({ ...claims, scope: 'runner' }))),
    'the signature of another token': () => {
      const other = withClaims({ jti: randomUUID() }).split('.')[2] ?? '';
      return swapped(other);
    },
  },
  'no JWS': {
    'a JWE to a key of one’s own': () =>
      new CompactEncrypt(Buffer.from(JSON.stringify(claims)))
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', typ: 'at+jwt', kid })
        .encrypt(Buffer.alloc(32)),
    'an unsecured JWE': () => `${base64url(JSON.stringify(header({ enc: 'none' })))}..${payloadOf()}..`,
    'JSON serialization': () => base64url(JSON.stringify({ payload: payloadOf(), signatures: [] })),
    'an API key': () => given.keys.admin,
    'a big header': () => signed(header({ x: 'x'.repeat(8_000) }), claims),
    'a big payload, signed': () => withClaims({ x: 'x'.repeat(8_000) }),
    'ten thousand points': () => '.'.repeat(10_000),
  },
};

test('a token that is made in the same way as these, and as it should be, is good', async () => {
  assert.equal((await ask(`Bearer ${signed(header(), claims)}`)).status, 200);
  assert.equal((await ask(`bearer ${withClaims({ jti: randomUUID() })}`)).status, 200);
});

for (const [what, cases] of Object.entries(attacks))
  describe(`refused: ${what}`, () => {
    for (const [name, attack] of Object.entries(cases)) test(name, async () => await refused(await attack()));
  });

describe('refused: what was good once', () => {
  test('a token that was revoked, and one whose key was deleted', async () => {
    const gone = await signIn(given, given.keys.admin);
    const payload = new URLSearchParams({ token: gone.token }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    await send(given, { method: 'POST', url: '/v1/token/revoke', headers, payload });
    await refused(gone.token, 'token_revoked');
    const admin = await signIn(given, given.keys.admin);
    const short = { name: 'short', scopes: ['projects:read'] };
    const made = await created<{ id: string; secret: string }>(admin, '/v1/api-keys', short);
    const ofKey = await signIn(given, made.secret);
    assert.equal((await ask(`Bearer ${ofKey.token}`)).status, 200);
    assert.equal((await admin.call('DELETE', `/v1/api-keys/${made.id}`)).status, 204);
    await refused(ofKey.token, 'token_revoked');
    await refused(withClaims({ sub: made.id }), 'token_revoked');
    await refused(withClaims({ sub: 'key_nobody' }), 'token_revoked');
  });

  test('a token that names another team than its key, or a project that is another’s', async () => {
    const { id } = await declareProject(given, await signIn(given, given.keys.admin));
    const limited = withClaims({ project: id });
    assert.equal((await ask(`Bearer ${limited}`)).status, 200);
    await refused(withClaims({ project: 'prj_nowhere' }), 'token_revoked');
    const { status, body } = await ask(`Bearer ${withClaims({ team: 'team_01j0000000000000000000000a' })}`);
    assert.deepEqual([status, JSON.parse(body).code], [401, 'invalid_token']);
  });

  test('a token in whose place several words, another scheme or nothing stands', async () => {
    for (const authorization of [`Bearer ${token} ${token}`, `Basic ${token}`, 'Bearer', `Token ${token}`]) {
      const { status, challenge } = await ask(authorization);
      // Who shows no token is told that there are tokens, and of no error (RFC 6750, section 3.1).
      assert.deepEqual([status, challenge], [401, 'Bearer realm="Ebb"'], authorization);
    }
  });

  test('a token of a dropped key, replayed, also under the kid of the new one', async () => {
    const rotation = { ...given.context, sealing: given.context.custody.tokenKeySealing };
    const next = await rotateTokenKey(rotation, 'operator');
    // Published and not yet at work: what it signs is good all the same, for a process whose clock is ahead.
    const ahead = await keyOf(next.kid);
    const early = signed(header({ kid: next.kid }), claims, (input) => sign(null, input, ahead));
    assert.equal((await ask(`Bearer ${early}`)).status, 200);
    const { kid: fresh } = await replaceTokenKeys(rotation, 'operator');
    await new Promise((resolve) => setTimeout(resolve, 1_050));
    for (const old of [token, early, signed(header({ kid: fresh }), claims)]) await refused(old);
    assert.equal((await ask(`Bearer ${(await signIn(given, given.keys.admin)).token}`)).status, 200);
  });

  test('a header that is larger than any token is not read at all', async () => {
    const { status } = await ask(`Bearer ${'x'.repeat(20_000)}`);
    assert.equal(status, 431);
  });
});

test('no token that was refused is in the log', () => {
  const logged = given.logged();
  for (const secret of [token, signature(), payloadOf()]) assert.ok(!logged.includes(secret));
});
