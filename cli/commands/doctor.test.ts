import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../queue/free-port.ts';
import { fileOf, folderFor, redisWith } from '../doctor/doctor-for-tests.ts';

const program = fileURLToPath(new URL('../ebb.ts', import.meta.url));

function doctor(words: string[], env: Record<string, string>) {
  const options = { env: { PATH: process.env.PATH ?? '', ...env }, timeout: 120_000 };
  return new Promise<{ code: number; output: string }>((resolve) => {
    execFile(process.execPath, [program, 'doctor', ...words], options, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), output: stdout + stderr }),
    );
  });
}

const secret = () => randomBytes(32).toString('base64url');
const privateJwk = () => JSON.stringify(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }));

/** A configuration full of secrets, whose servers are not there. */
async function fullOfSecrets(t: TestContext) {
  const passwords = { redis: secret(), database: secret(), mail: secret() };
  const [token, receipt] = [privateJwk(), privateJwk()];
  const master = randomBytes(32).toString('base64');
  const admin = `ebb_${secret()}`;
  const port = await freePort();
  const redisFile = await fileOf(
    await folderFor(t),
    'redis',
    `redis://ebb:${passwords.redis}@127.0.0.1:${port}`,
    0o644,
  );
  const environment = {
    EBB_REDIS_URL_FILE: redisFile,
    EBB_DATABASE_URL: `postgresql://ebb:${passwords.database}@127.0.0.1:${port}/ebb`,
    EBB_SMTP_URL: `smtps://ebb:${passwords.mail}@mail.example.com`,
    ...{ EBB_MAIL_FROM: 'ebb@example.com', EBB_PUBLIC_URL: 'http://ebb.example.com' },
    ...{ EBB_TOKEN_KEY: token, EBB_RECEIPT_KEY: receipt, EBB_HOOK_MASTER_KEY: master },
    EBB_FIRST_ADMIN_KEY: admin,
    EBB_KMS_KEY: 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab',
  };
  const keys = [token, receipt].map((text) => JSON.parse(text).d);
  return { environment, canaries: [...Object.values(passwords), ...keys, master, admin] };
}

test('what is left open is told with its reason and its cure, and no secret is shown', async (t) => {
  const { environment, canaries } = await fullOfSecrets(t);
  const broken = { ...environment, EBB_RECEIPT_KEY: environment.EBB_TOKEN_KEY };
  for (const given of [environment, broken]) {
    for (const words of [['api'], ['api', '--json']]) {
      const { code, output } = await doctor(words, given);
      assert.equal(code, 1);
      for (const canary of canaries) assert.ok(!output.includes(canary));
    }
  }
  const { output } = await doctor(['api'], environment);
  assert.match(output, /^high {4}.*EBB_REDIS_URL_FILE.*mode 0644.*\n {8}Why: .*\n {8}Fix: chmod 600/m);
  for (const code of [
    'redis_unreachable',
    'database_unreachable',
    'public_url_is_http',
    'first_admin_key_left',
  ])
    assert.ok(output.includes(`[${code}]`), code);
});

test('as JSON each finding is an object', async (t) => {
  const { environment } = await fullOfSecrets(t);
  const { findings } = JSON.parse((await doctor(['api', '--json'], environment)).output);
  for (const finding of findings)
    assert.deepEqual(Object.keys(finding).sort(), ['code', 'fix', 'severity', 'what', 'why']);
});

test('without a finding of severity high the exit code is 0', async (t) => {
  const port = await redisWith(t, ['requirepass right', 'maxmemory-policy noeviction', 'appendonly no']);
  const { environment } = await fullOfSecrets(t);
  const { EBB_REDIS_URL_FILE: _, EBB_DATABASE_URL: _url, ...rest } = environment;
  const { code, output } = await doctor(['api'], {
    ...rest,
    ...{ EBB_REDIS_URL: `redis://:right@127.0.0.1:${port}`, EBB_PUBLIC_URL: 'https://ebb.example.com' },
    EBB_DATA_DIR: await folderFor(t),
  });
  assert.equal(code, 0, output);
  assert.match(output, /\[redis_forgets\]/);
});
