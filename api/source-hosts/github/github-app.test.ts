import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { SourceHost } from '../source-host.ts';
import { type GithubStandIn, startGithub } from './github-for-tests.ts';
import { githubKind } from './github-kind.ts';

const signal = AbortSignal.timeout(120_000);

describe('a connection by GitHub App', () => {
  let root: string;
  let github: GithubStandIn;
  const kind = githubKind({ create: 0, change: 0 });
  let count = 0;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'ebb-github-app-'));
    github = await startGithub(root);
    await github.addRepository('acme/shop');
  });
  after(async () => {
    await github.close();
    await rm(root, { recursive: true });
    assert.deepEqual(github.violations, []);
  });

  /** A connection of its own, which nobody has asked through. */
  const open = (privateKey = github.githubApp.privateKey): SourceHost =>
    kind.open({
      ...{ url: github.url, sshAddress: github.sshAddress, hostKeys: github.hostKeys },
      ...{ appId: github.githubApp.id, installationId: github.githubApp.installationId },
      connectionId: `conn_${++count}`,
      fetch,
      credential: async () => Buffer.from(privateKey),
    });
  const asked = (what: RegExp) => github.requests.filter((request) => what.test(request)).length;

  test('is made although GitHub shows /meta to no App as such', async () => {
    assert.deepEqual(await open().connect(signal), { hostKeys: github.hostKeys });
    assert.deepEqual(github.githubApp.minted.at(-1), {
      repositories: undefined,
      permissions: { metadata: 'read' },
    });
  });

  test('while GitHub wants silence no token is minted either', async () => {
    const host = open();
    await host.inspect('acme/shop', signal);
    github.fail({ method: 'GET', path: /shop$/, status: 403, headers: { 'retry-after': '30' } });
    await assert.rejects(host.inspect('acme/shop', signal), { code: 'rate_limited' });
    const before = github.requests.length;
    await assert.rejects(host.inspect('acme/shop', signal), { code: 'rate_limited' });
    await assert.rejects(host.removeDeployKey('acme/shop', '1', signal), { code: 'rate_limited' });
    assert.equal(github.requests.length, before);
  });

  test('a limit that is met while minting closes the way like any other', async () => {
    const host = open();
    const limited = { code: 'rate_limited', retryAfterSeconds: 30 };
    github.fail({ path: /access_tokens$/, status: 403, headers: { 'retry-after': '30' } });
    await assert.rejects(host.inspect('acme/shop', signal), limited);
    const before = asked(/access_tokens/);
    await assert.rejects(host.inspect('acme/shop', signal), { code: 'rate_limited' });
    assert.equal(asked(/access_tokens/), before);
  });

  test('a token is asked for again when GitHub fails to mint it, also for a request that is not repeated itself', async () => {
    const host = open();
    await host.inspect('acme/shop', signal);
    const url = 'https://ebb.example.com/v1/hooks/1';
    for (const failure of [{ status: 502 }, { how: 'cut-off' as const }]) {
      github.fail({ path: /access_tokens$/, times: 2, ...failure });
      const before = asked(/POST .*hooks$/);
      const { id } = await host.addHook(
        'acme/shop',
        { url, secret: Buffer.alloc(32, 1), events: ['push'] },
        signal,
      );
      assert.equal(asked(/POST .*hooks$/), before + 1);
      await host.removeHook('acme/shop', id, signal);
    }
  });

  test('a token is never shared with who asks at the same time for the same installation and has no key to it', async () => {
    const { privateKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    });
    const [right, wrong] = await Promise.allSettled([
      open().inspect('acme/shop', signal),
      open(privateKey).inspect('acme/shop', signal),
    ]);
    assert.equal(right.status, 'fulfilled');
    assert.equal(wrong.status, 'rejected');
    assert.equal(wrong.reason.code, 'unauthorized');
  });

  test('a name that another repository has meanwhile is looked up again', async () => {
    const { id } = await github.addRepository('acme/first');
    const host = open();
    assert.equal((await host.inspect('acme/first', signal)).id, String(id));
    github.rename('acme/first', 'acme/second');
    const other = await github.addRepository('acme/first');
    await assert.rejects(host.inspect('acme/first', signal), { code: 'repository_not_found' });
    assert.equal((await host.inspect('acme/first', signal)).id, String(other.id));
  });
});
