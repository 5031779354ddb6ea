import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { giteaApi } from 'gitea-js';
import { createKey } from '../deploy-keys/ed25519-key.ts';
import { testSourceHost } from './conformance.ts';
import { giteaKind } from './gitea.ts';
import { type GiteaStandIn, startGitea } from './gitea-for-tests.ts';
import type { SourceHost } from './source-host.ts';

const kind = giteaKind({ create: 0, change: 0 });
const signal = AbortSignal.timeout(60_000);

function open(gitea: GiteaStandIn): SourceHost {
  return kind.open({
    ...{ url: gitea.url, sshAddress: `127.0.0.1:${gitea.git.port}`, hostKeys: [gitea.git.hostKey] },
    ...{ appId: undefined, installationId: undefined, connectionId: 'conn_gitea' },
    fetch,
    credential: async () => Buffer.from(gitea.token),
  });
}

async function start() {
  const root = await mkdtemp(join(tmpdir(), 'ebb-gitea-'));
  const gitea = await startGitea(root);
  await gitea.addRepository('acme/shop');
  await gitea.addRepository('acme/tools');
  const close = async () => {
    await gitea.close();
    await rm(root, { recursive: true });
    assert.deepEqual(gitea.violations, []);
  };
  return { gitea, close };
}

testSourceHost('gitea', async () => {
  const { gitea, close } = await start();
  return {
    ...{ host: open(gitea), parseWebhook: kind.parseWebhook, close },
    ...{ repository: 'acme/shop', otherRepository: 'acme/tools', missingRepository: 'acme/nowhere' },
    sharesDeployKeys: true,
    authorizeDeveloper: gitea.git.authorizeUser,
    openPullRequest: gitea.openPullRequest,
    statusesOf: (name, commit) =>
      gitea
        .repository(name)
        .statuses.filter(({ sha }) => sha === commit)
        .map(({ state = '', context = '' }) => ({ state, context })),
  };
});

describe('gitea, beside another client of its API', () => {
  let gitea: GiteaStandIn;
  let close: () => Promise<void>;
  before(async () => {
    ({ gitea, close } = await start());
  });
  after(() => close());

  const { publicKey } = createKey('by hand');

  test('what Ebb adds, the published client reads as what it is', async () => {
    const { repos } = giteaApi(gitea.url, { token: gitea.token });
    const host = open(gitea);
    const url = 'https://ebb.example.com/v1/hooks/1';
    const secret = Buffer.alloc(32, 1);
    const hook = await host.addHook('acme/shop', { url, secret, events: ['push', 'pull_request'] }, signal);
    const { data } = await repos.repoGetHook('acme', 'shop', Number(hook.id));
    assert.deepEqual([data.type, data.active, data.config], ['gitea', true, { url, content_type: 'json' }]);
    const { data: added } = await repos.repoCreateKey('acme', 'shop', {
      ...{ title: 'by hand', key: publicKey, read_only: true },
    });
    assert.deepEqual(await host.addDeployKey('acme/shop', { title: 'ci', publicKey }, signal), {
      id: String(added.id),
    });
  });

  test('a second key of the same title is added under another one', async () => {
    const host = open(gitea);
    const add = async () => {
      const key = { title: 'Ebb: tools', publicKey: createKey('ebb').publicKey };
      return await host.addDeployKey('acme/tools', key, signal);
    };
    const [first, second] = [await add(), await add()];
    assert.notEqual(first.id, second.id);
    assert.match(
      (await host.findDeployKey('acme/tools', second.id, signal))?.title ?? '',
      /^Ebb: tools \S+$/,
    );
  });

  test('a credential that is not taken is told as such, at once', async () => {
    const host = kind.open({
      ...{ url: gitea.url, sshAddress: undefined, hostKeys: [], connectionId: 'conn_wrong', fetch },
      ...{ appId: undefined, installationId: undefined, credential: async () => Buffer.from('wrong') },
    });
    await assert.rejects(host.connect(signal), { code: 'unauthorized' });
  });
});
