import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, created, signIn } from '../../test-client.ts';
import { openTestContext } from '../../test-context.ts';
import type { HostKind } from '../source-hosts.ts';
import { startGithub } from './github-for-tests.ts';
import { githubKind } from './github-kind.ts';

/** The kind `github` with github.com being the stand-in at `url`, and no pause between changes. */
export function githubAt(site: () => { url: string; sshAddress: string }): HostKind {
  const kind = githubKind({ create: 0, change: 0 });
  const open: HostKind['open'] = (access) => {
    const { url, sshAddress } = site();
    return kind.open({ ...access, url, sshAddress });
  };
  return { ...kind, open };
}

/** The control plane with GitHub beside it, both listening on loopback. */
export async function openGithubContext() {
  const root = await mkdtemp(join(tmpdir(), 'ebb-github-'));
  const github = await startGithub(root);
  const test = await openTestContext(undefined, { github: githubAt(() => github) });
  await test.listen();
  const admin = await signIn(test, test.keys.admin);
  return {
    ...test,
    github,
    admin,
    async close() {
      await test.close();
      await github.close();
      await rm(root, { recursive: true });
    },
  };
}

export type GithubContext = Awaited<ReturnType<typeof openGithubContext>>;

let count = 0;

/** A repository at GitHub, declared as a project with its deploy key and hook. */
export async function declareAtGithub(
  { github, admin }: GithubContext,
  hook: object = {},
  by: 'token' | 'app' = 'token',
) {
  const name = `shop-${++count}`;
  const repository = `acme/${name}`;
  const { folder } = await github.addRepository(repository);
  const { id: app_id, installationId: installation_id, privateKey: private_key } = github.githubApp;
  const app = { app_id, installation_id, private_key };
  const connection = await connect(admin, by === 'app' ? app : { token: github.token.value });
  const project = await created(admin, '/v1/projects', {
    ...{ connection_id: connection.id, name, repository },
  });
  const deployKey = await created<{ id: string; fingerprint: string }>(admin, '/v1/deploy-keys', {
    project_id: project.id,
  });
  const binding = await created<{ id: string; url: string }>(admin, '/v1/hook-bindings', {
    ...{ project_id: project.id, branches: ['main', 'release/*'] },
    ...hook,
  });
  return { name, repository, folder, connection, project, deployKey, binding };
}

export async function connect(admin: Client, credential: object): Promise<{ id: string }> {
  return await created(admin, '/v1/connections', {
    name: `github-${++count}`,
    kind: 'github',
    ...credential,
  });
}
