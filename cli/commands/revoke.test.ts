import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { declareProject, signIn } from '../../api/test-client.ts';
import { openTestContext, type TestContext } from '../../api/test-context.ts';
import { verifyReceipt } from '../verify/verify-receipt.ts';

const entry = fileURLToPath(new URL('../ebb.ts', import.meta.url));

let given: TestContext;
let folder: string;
before(async () => {
  given = await openTestContext();
  await given.listen();
  folder = await mkdtemp(join(tmpdir(), 'ebb-cli-'));
});
after(async () => {
  await given.close();
  await rm(folder, { recursive: true });
});

/** `ebb WORDS` with the first team's key. */
function ebb(...words: string[]): Promise<{ code: number; output: string }> {
  const env = {
    PATH: process.env.PATH,
    EBB_ENDPOINT: given.context.publicUrl,
    EBB_API_KEY: given.keys.admin,
  };
  return new Promise((resolve) =>
    execFile(process.execPath, [entry, ...words], { env, timeout: 60_000 }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), output: stdout + stderr }),
    ),
  );
}

test('ebb revoke ends a project, a connection and the team, tells each step and stores a receipt that holds', async () => {
  const admin = await signIn(given, given.keys.admin);
  const project = await declareProject(given, admin);
  const other = await declareProject(given, admin);
  const path = join(folder, 'receipt.json');
  for (const [kind, name] of [
    ['project', project.name],
    ['connection', `${other.name}-host`],
    ['team', 'acme'],
  ] as const) {
    const { code, output } = await ebb('revoke', kind, name, '--output', path);
    assert.equal(code, 0, output);
    assert.match(output, /claims and tokens stopped \(\d+ ms\): /);
    assert.match(output, new RegExp(`The ${kind} ${name} is revoked\\. Receipt: rcp_`));
    const { envelope } = JSON.parse(await readFile(path, 'utf8'));
    assert.ok(verifyReceipt({ envelope, jwks: given.context.signer.jwks() }).ok, kind);
  }
});

test('ebb revoke tells a name that does not exist, and revokes no team by another name', async () => {
  const context = await openTestContext();
  await context.listen();
  const before = given;
  given = context;
  try {
    const unknown = await ebb('revoke', 'project', 'nothing');
    assert.equal(unknown.code, 1);
    assert.match(unknown.output, /There is no project nothing in this team/);
    const other = await ebb('revoke', 'connection', 'acme/nothing');
    assert.match(other.output, /There is no connection acme\/nothing .*Name it team\/connection/);
    const slip = await ebb('revoke', 'team', 'acne');
    assert.equal(slip.code, 1);
    assert.match(slip.output, /belongs to the team acme.*Nothing was revoked/);
    assert.equal((await ebb('revoke', 'team', 'acme')).code, 0);
  } finally {
    given = before;
    await context.close();
  }
});
