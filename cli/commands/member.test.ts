import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { browserOf, mailedToken } from '../../api/people/browser-for-tests.ts';
import { openTestContext, type TestContext } from '../../api/test-context.ts';

const entry = fileURLToPath(new URL('../ebb.ts', import.meta.url));

let given: TestContext;
before(async () => {
  given = await openTestContext();
  await given.listen();
});
after(() => given.close());

function ebb(...words: string[]): Promise<string> {
  const { publicUrl } = given.context;
  const env = { PATH: process.env.PATH, EBB_ENDPOINT: publicUrl, EBB_API_KEY: given.keys.admin };
  return new Promise((resolve) =>
    execFile(process.execPath, [entry, 'member', ...words], { env, timeout: 60_000 }, (_, stdout, stderr) =>
      resolve(stdout + stderr),
    ),
  );
}

test('ebb member invites, lists and removes', async () => {
  const email = 'ada@example.com';
  assert.match(await ebb('invite', email, '--role', 'viewer'), /ada@example\.com is invited as viewer/);
  const token = await mailedToken(given, email);
  assert.match(await ebb('list'), /^mem_\w+ {2}viewer {2}ada@example\.com {2}\(invited\)$/m);
  const browser = await browserOf(given, email);
  await browser.call('POST', '/v1/invitations/accept', { token });
  const listed = await ebb('list');
  assert.match(listed, /^mem_\w+ {2}viewer {2}ada@example\.com$/m);
  assert.doesNotMatch(listed, /invited/);
  assert.match(await ebb('remove', listed.split('  ')[0] ?? ''), /is removed/);
  assert.equal(await ebb('list'), '');
  const again = await ebb('invite', 'eve@example.com', '--role', 'viewer');
  assert.match(await ebb('remove', again.match(/inv_\w+/)?.[0] ?? ''), /is removed/);
  assert.equal(await ebb('list'), '');
});
