import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testSourceHost } from '../conformance.ts';
import type { HostAccess } from '../source-hosts.ts';
import { type GithubStandIn, startGithub } from './github-for-tests.ts';
import { githubKind } from './github-kind.ts';

const noPace = { create: 0, change: 0 };

function accessTo(github: GithubStandIn, by: 'token' | 'app'): HostAccess {
  return {
    url: github.url,
    sshAddress: github.sshAddress,
    appId: by === 'app' ? github.githubApp.id : undefined,
    installationId: by === 'app' ? github.githubApp.installationId : undefined,
    hostKeys: github.hostKeys,
    connectionId: `conn_${by}`,
    fetch,
    credential: async () => Buffer.from(by === 'app' ? github.githubApp.privateKey : github.token.value),
  };
}

for (const by of ['token', 'app'] as const) {
  testSourceHost(`github, by ${by}`, async () => {
    const root = await mkdtemp(join(tmpdir(), 'ebb-github-'));
    const github = await startGithub(root);
    await github.addRepository('acme/shop');
    await github.addRepository('acme/tools');
    const kind = githubKind(noPace);
    return {
      host: kind.open(accessTo(github, by)),
      parseWebhook: kind.parseWebhook,
      repository: 'acme/shop',
      otherRepository: 'acme/tools',
      missingRepository: 'acme/nowhere',
      authorizeDeveloper: github.git.authorizeUser,
      openPullRequest: github.openPullRequest,
      statusesOf: (name, commit) =>
        github
          .repository(name)
          .statuses.filter(({ sha }) => sha === commit)
          .map(({ state, context }) => ({ state, context })),
      async close() {
        await github.close();
        await rm(root, { recursive: true });
        assert.deepEqual(github.violations, []);
      },
    };
  });
}
