import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { ConfigurationError } from '../contract/environment.ts';
import { readApiConfiguration, sourceHostNetworks } from './configuration.ts';

const privateJwk = () => JSON.stringify(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }));
const keys = {
  EBB_TOKEN_KEY: privateJwk(),
  EBB_RECEIPT_KEY: privateJwk(),
  EBB_HOOK_MASTER_KEY: randomBytes(32).toString('base64'),
};
const basis = {
  EBB_REDIS_URL: 'redis://127.0.0.1',
  EBB_KEY_ENCRYPTION_KEY: JSON.stringify(
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }),
  ),
  EBB_KEYS_DIR: '/keys',
};
const routed = {
  ...basis,
  PORT: '5000',
  DATABASE_URL: 'postgres://u@db.example.com/d',
  EBB_PUBLIC_URL: 'https://ebb.example.com',
  EBB_BEHIND_TLS_ROUTER: 'true',
};

function problems(environment: NodeJS.ProcessEnv): string[] {
  try {
    readApiConfiguration(environment);
    return [];
  } catch (error) {
    return (error as ConfigurationError).problems;
  }
}

test('variables of the platform count where those of Ebb are not set', () => {
  const { EBB_REDIS_URL: _, ...rest } = basis;
  const environment = { ...rest, REDIS_URL: 'rediss://a', DATABASE_URL: 'postgres://u@localhost/d' };
  const read = readApiConfiguration(environment);
  assert.equal(read.EBB_REDIS_URL, 'rediss://a');
  assert.equal(read.EBB_DATABASE_URL, 'postgres://u@localhost/d');
  assert.equal(read.EBB_LISTEN, '127.0.0.1:4800');
  const own = readApiConfiguration({
    ...environment,
    EBB_REDIS_URL: 'rediss://b',
    EBB_LISTEN: '127.0.0.1:1',
  });
  assert.equal(own.EBB_REDIS_URL, 'rediss://b');
  assert.equal(readApiConfiguration(routed).EBB_LISTEN, '0.0.0.0:5000');
});

test('without TLS others are not listened to, unless a router ends it', () => {
  assert.match(
    problems({ ...basis, PORT: '5000' })[0] ?? '',
    /^PORT \(EBB_LISTEN\) is 0.0.0.0:5000, which others/,
  );
  assert.deepEqual(problems(routed), []);
});

test('behind a router the public address must be told and be HTTPS, and the database lie elsewhere', () => {
  const { DATABASE_URL: _, EBB_PUBLIC_URL: __, ...bare } = routed;
  const found = problems(bare);
  assert.equal(found.length, 2);
  assert.match(found[0] ?? '', /^EBB_PUBLIC_URL is not set/);
  assert.match(found[1] ?? '', /^EBB_DATABASE_URL is not set/);
  assert.match(
    problems({ ...routed, EBB_PUBLIC_URL: 'http://a.example' })[0] ?? '',
    /^EBB_PUBLIC_URL is http/,
  );
  const certified = { ...routed, EBB_TLS_CERT: 'a', EBB_TLS_KEY: 'b' };
  assert.match(problems(certified)[0] ?? '', /^EBB_TLS_CERT is set, but/);
});

test('the keys come from a folder or from variables, whole and not from both', () => {
  const { EBB_KEYS_DIR: _, ...keyless } = basis;
  assert.deepEqual(problems({ ...keyless, ...keys }), []);
  assert.match(problems(keyless)[0] ?? '', /^EBB_KEYS_DIR is not set/);
  assert.match(problems({ ...basis, ...keys })[0] ?? '', /both set/);
  assert.match(problems({ ...keyless, ...keys, EBB_TOKEN_KEY: '' })[0] ?? '', /^EBB_TOKEN_KEY is not set/);
  const broken = problems({ ...keyless, ...keys, EBB_HOOK_MASTER_KEY: 'c2hvcnQ=' });
  assert.match(broken[0] ?? '', /^EBB_HOOK_MASTER_KEY holds no key/);
  const retired = (key: string) => ({
    EBB_RETIRED_RECEIPT_KEYS: JSON.stringify({ keys: [JSON.parse(key)] }),
  });
  const { d: _private, ...publicKey } = JSON.parse(keys.EBB_RECEIPT_KEY);
  assert.deepEqual(problems({ ...keyless, ...keys, ...retired(JSON.stringify(publicKey)) }), []);
  const leaked = problems({ ...keyless, ...keys, ...retired(keys.EBB_RECEIPT_KEY) });
  assert.match(
    leaked[0] ?? '',
    /^EBB_RETIRED_RECEIPT_KEYS is no JWKS .* a private key does not belong there/,
  );
  assert.match(problems({ ...basis, ...retired(keys.EBB_RECEIPT_KEY) })[0] ?? '', /both set/);
  const twice = problems({ ...keyless, ...keys, EBB_RECEIPT_KEY: keys.EBB_TOKEN_KEY });
  assert.match(twice[0] ?? '', /^EBB_TOKEN_KEY and EBB_RECEIPT_KEY are the same/);
});

const mail = { EBB_SMTP_URL: 'smtps://u:secret@mail.example.com', EBB_MAIL_FROM: 'ebb@example.com' };

test('mails go to a server by an address that is whole, or to the log of a machine that nobody else reaches', () => {
  assert.deepEqual(problems({ ...basis, ...mail }), []);
  assert.deepEqual(problems({ ...basis, EBB_MAIL_TO_LOG: 'true' }), []);
  assert.match(problems({ ...basis, ...mail, EBB_MAIL_FROM: '' })[0] ?? '', /go together/);
  assert.match(problems({ ...basis, ...mail, EBB_MAIL_FROM: 'ebb' })[0] ?? '', /^EBB_MAIL_FROM must match/);
  const weak = { ...mail, EBB_SMTP_URL: `${mail.EBB_SMTP_URL}/?tls.rejectUnauthorized=false` };
  const [said = ''] = problems({ ...basis, ...weak });
  assert.match(said, /^EBB_SMTP_URL has something after the port/);
  assert.ok(!said.includes('secret'));
  assert.match(problems({ ...basis, ...mail, EBB_MAIL_TO_LOG: 'true' })[0] ?? '', /both set/);
  assert.match(problems({ ...routed, EBB_MAIL_TO_LOG: 'true' })[0] ?? '', /for development on one machine/);
  const proxied = { ...basis, EBB_PUBLIC_URL: 'https://ebb.example.com', EBB_MAIL_TO_LOG: 'true' };
  assert.match(problems(proxied)[0] ?? '', /for development on one machine/);
});

test('people sign up where mails go out and cookies cannot be read on their way', () => {
  const open = { ...basis, EBB_SIGN_UP: 'open', EBB_MAIL_TO_LOG: 'true' };
  assert.deepEqual(problems(open), []);
  assert.match(problems({ ...open, EBB_MAIL_TO_LOG: 'false' })[0] ?? '', /people sign up by e-mail/);
  const readable = { ...basis, ...mail, EBB_SIGN_UP: 'open', EBB_PUBLIC_URL: 'http://ebb.example.com' };
  assert.match(problems(readable)[0] ?? '', /read people’s cookies/);
  assert.match(problems({ ...open, EBB_SIGN_UP: 'everybody' })[0] ?? '', /^EBB_SIGN_UP/);
  assert.equal(readApiConfiguration(basis).EBB_SIGN_UP, 'closed');
});

test('people sign in by GitHub with an app’s id and secret, a mail for the first time, and TLS all the way', () => {
  const app = { EBB_GITHUB_CLIENT_ID: 'Iv1.8a61f9b3a7aba766', EBB_GITHUB_CLIENT_SECRET: 'hush-hush' };
  const given = { ...basis, ...app, EBB_MAIL_TO_LOG: 'true' };
  const said = (changes: NodeJS.ProcessEnv) => {
    const [first = ''] = problems({ ...given, ...changes });
    assert.ok(!first.includes('hush'));
    return first;
  };
  assert.deepEqual(problems(given), []);
  assert.equal(readApiConfiguration(given).EBB_GITHUB_URL, 'https://github.com');
  assert.equal(said({ EBB_GITHUB_URL: 'https://github.example.com' }), '');
  assert.match(said({ EBB_GITHUB_CLIENT_SECRET: '' }), /go together/);
  assert.match(said({ EBB_GITHUB_CLIENT_ID: '' }), /go together/);
  assert.match(said({ EBB_GITHUB_CLIENT_SECRET: 'hush hush' }), /^EBB_GITHUB_CLIENT_SECRET must match/);
  assert.match(said({ EBB_MAIL_TO_LOG: 'false' }), /first time is sent a mail/);
  assert.match(said({ EBB_GITHUB_URL: 'http://github.example.com' }), /^EBB_GITHUB_URL is http/);
  for (const url of ['https://github.com/', 'https://github.com/login', 'https://a@github.com', 'github.com'])
    assert.match(said({ EBB_GITHUB_URL: url }), /^EBB_GITHUB_URL must match/, url);
  const mailed = { ...mail, EBB_MAIL_TO_LOG: 'false', EBB_PUBLIC_URL: 'http://ebb.example.com' };
  assert.match(said(mailed), /read people’s cookies/);
});

test('a file that cannot be read is one problem and not two', () => {
  const { EBB_KEYS_DIR: _, ...keyless } = basis;
  const absent = problems({ ...keyless, ...keys, EBB_TOKEN_KEY: '', EBB_TOKEN_KEY_FILE: '/nowhere' });
  assert.deepEqual(absent, ['EBB_TOKEN_KEY_FILE names /nowhere, which cannot be read (ENOENT).']);
  const certificate = problems({ ...basis, EBB_TLS_CERT: 'a', EBB_TLS_KEY_FILE: '/nowhere' });
  assert.deepEqual(certificate, ['EBB_TLS_KEY_FILE names /nowhere, which cannot be read (ENOENT).']);
});

test('keys are wrapped to the public half of a file, or by AWS KMS, and not by both', () => {
  const EBB_KMS_KEY = 'arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000';
  const { EBB_KEY_ENCRYPTION_KEY: _, ...keyless } = basis;
  assert.deepEqual(problems({ ...keyless, EBB_KMS_KEY }), []);
  assert.match(problems(keyless)[0] ?? '', /^EBB_KEY_ENCRYPTION_KEY is not set.*EBB_KMS_KEY/);
  assert.match(problems({ ...basis, EBB_KMS_KEY })[0] ?? '', /both set/);
  const open = { ...keyless, EBB_KMS_KEY, EBB_KMS_ENDPOINT: 'http://kms.example.com' };
  assert.match(problems(open)[0] ?? '', /^EBB_KMS_ENDPOINT goes to kms.example.com without TLS/);
});

test('source hosts that are not at public addresses are those of the networks that are named', () => {
  const loopback = sourceHostNetworks(readApiConfiguration(basis));
  assert.deepEqual(
    loopback.map(([address, bits]) => `${address}/${bits}`),
    ['127.0.0.0/8', '::1/128'],
  );
  assert.deepEqual(sourceHostNetworks(readApiConfiguration(routed)), []);
  const named = { ...routed, EBB_SOURCE_HOST_NETWORKS: '10.20.0.0/16' };
  assert.equal(sourceHostNetworks(readApiConfiguration(named))[0]?.join('/'), '10.20.0.0/16');
  assert.deepEqual(problems({ ...basis, EBB_SOURCE_HOST_NETWORKS: '10.20.0.0' }), [
    'EBB_SOURCE_HOST_NETWORKS: 10.20.0.0 is no network. Write its address and length, such as 10.0.0.0/8.',
  ]);
});
