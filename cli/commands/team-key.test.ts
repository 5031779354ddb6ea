import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { requestToken } from '../../api/test-client.ts';
import { openTestContext, type TestContext } from '../../api/test-context.ts';

const entry = fileURLToPath(new URL('../ebb.ts', import.meta.url));

let given: TestContext;
before(async () => {
  given = await openTestContext();
  await given.listen();
});
after(() => given.close());

function ebb(...words: string[]): Promise<{ stdout: string; stderr: string }> {
  const { publicUrl } = given.context;
  const env = { PATH: process.env.PATH, EBB_ENDPOINT: publicUrl, EBB_API_KEY: given.keys.admin };
  return new Promise((resolve) =>
    execFile(process.execPath, [entry, 'team-key', ...words], { env, timeout: 60_000 }, (_, stdout, stderr) =>
      resolve({ stdout, stderr }),
    ),
  );
}

test('ebb team-key makes a key that is good until it is revoked, and lists it meanwhile', async () => {
  const { stdout, stderr } = await ebb('create', 'laptop of Ada', '--scopes', 'builds:read,logs:read');
  const secret = stdout.trim();
  const [id = ''] = stderr.match(/key_[0-9a-z]+/) ?? [];
  assert.equal((await requestToken(given, { client_secret: secret })).body.scope, 'builds:read logs:read');
  const { stdout: listed } = await ebb('list');
  assert.match(listed, new RegExp(`${id}  .*used .*  no end  all projects  builds:read,logs:read  laptop`));
  assert.ok(!listed.includes(secret));
  assert.match((await ebb('revoke', id)).stdout, /is revoked/);
  assert.equal((await requestToken(given, { client_secret: secret })).status, 401);
  assert.ok(!(await ebb('list')).stdout.includes(id));
});

test('ebb team-key says what is wrong with a scope', async () => {
  assert.match((await ebb('create', 'x', '--scopes', 'runner')).stderr, /must be one of/);
});
