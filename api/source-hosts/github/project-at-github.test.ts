import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { refreshHostKeys } from '../../connections/refresh-host-keys.ts';
import { createGitClient, type GitClient } from '../git-client.ts';
import {
  connect,
  declareAtGithub,
  type GithubContext,
  openGithubContext,
} from './github-project-for-tests.ts';

const signal = AbortSignal.timeout(300_000);

describe('a project at GitHub', () => {
  let given: GithubContext;
  let client: GitClient;
  before(async () => {
    given = await openGithubContext();
    client = await createGitClient();
  });
  after(async () => {
    await given.close();
    await client.close();
    assert.deepEqual(given.github.violations, []);
  });

  test('gets a read-only deploy key whose title tells project and Ebb, and a hook with a secret of its own', async () => {
    const { repository, name } = await declareAtGithub(given);
    const { keys, hooks } = given.github.repository(repository);
    const [key] = keys.values();
    const [hook] = hooks.values();
    assert.equal(key?.read_only, true);
    assert.match(key?.title ?? '', new RegExp(`Ebb.*${name}|${name}.*Ebb`, 'i'));
    assert.deepEqual(hook?.events, ['push', 'pull_request']);
    assert.equal(hook?.config.content_type, 'json');
    assert.ok((hook?.config.secret ?? '').length >= 40);
  });

  test('a change of a hook that GitHub puts off may be sent again as it was', async () => {
    const { binding, repository } = await declareAtGithub(given);
    const { headers } = await given.admin.call('GET', `/v1/hook-bindings/${binding.id}`);
    given.github.fail({
      ...{ method: 'PATCH', path: /hooks/, status: 403, headers: { 'retry-after': '1' } },
      body: { message: 'You have exceeded a secondary rate limit.', documentation_url: 'https://docs' },
    });
    const change = () =>
      given.admin.call(
        'PATCH',
        `/v1/hook-bindings/${binding.id}`,
        { branches: ['main', 'next'], events: ['push'] },
        { 'if-match': String(headers.etag) },
      );
    assert.equal((await change()).status, 503);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const { status, body } = await change();
    assert.deepEqual([status, body.branches], [200, ['main', 'next']]);
    const [hook] = given.github.repository(repository).hooks.values();
    assert.deepEqual(hook?.events, ['push']);
  });

  for (const by of ['token', 'app'] as const) {
    for (const isTakenAgain of [false, true]) {
      const also = isTakenAgain ? ' and another has the old one' : '';
      test(`destroying removes key and hook there, even when the repository has another name now${also} (by ${by})`, async () => {
        const { admin, github } = given;
        const { repository, project, deployKey, binding } = await declareAtGithub(given, {}, by);
        github.rename(repository, `${repository}-new`);
        if (isTakenAgain) await github.addRepository(repository);
        assert.equal((await admin.call('GET', `/v1/hook-bindings/${binding.id}`)).status, 200);
        assert.equal((await admin.call('GET', `/v1/deploy-keys/${deployKey.id}`)).status, 200);
        assert.equal((await admin.call('DELETE', `/v1/hook-bindings/${binding.id}`)).status, 204);
        assert.equal((await admin.call('DELETE', `/v1/deploy-keys/${deployKey.id}`)).status, 204);
        const { keys, hooks } = github.repository(`${repository}-new`);
        assert.deepEqual([keys.size, hooks.size], [0, 0]);
        const again = await admin.call('POST', '/v1/hook-bindings', { project_id: project.id });
        assert.deepEqual([again.status, again.body.code], [422, 'repository_moved']);
        if (!isTakenAgain || by === 'app') assert.match(again.body.detail, new RegExp(`${repository}-new`));
      });
    }
  }

  test('what GitHub forbids is told with its fix', async () => {
    const { admin, github } = given;
    const { repository, project, deployKey } = await declareAtGithub(given);
    assert.equal((await admin.call('DELETE', `/v1/deploy-keys/${deployKey.id}`)).status, 204);
    const stored = github.repository(repository);
    const add = async () => (await admin.call('POST', '/v1/deploy-keys', { project_id: project.id })).body;
    stored.archived = true;
    assert.match((await add()).detail, /archived.*Unarchive/);
    stored.archived = false;
    stored.keysForbidden = true;
    assert.match((await add()).detail, /policy.*owner allows/);
    stored.keysForbidden = false;
    github.token.permissions.administration = 'read';
    assert.match((await add()).detail, /lacks a permission.*Administration \(write\)/);
    github.token.permissions.administration = 'write';
    github.token.revoked = true;
    const refused = await admin.call('POST', '/v1/deploy-keys', { project_id: project.id });
    assert.deepEqual([refused.status, refused.body.code], [422, 'source_host_unauthorized']);
    github.token.revoked = false;
    await waitForAsync(async () => {
      const { body } = await admin.call('GET', '/v1/audit-events');
      return body.items.some(
        ({ action, detail }: { action: string; detail: { code: string } }) =>
          action === 'source_host.refused' && detail.code === 'unauthorized',
      );
    });
    assert.equal((await admin.call('POST', '/v1/deploy-keys', { project_id: project.id })).status, 201);
    github.remove(repository);
    const gone = await admin.call('POST', '/v1/hook-bindings', {
      project_id: project.id,
      branches: ['main'],
    });
    assert.deepEqual([gone.status, gone.body.code], [422, 'repository_not_found']);
  });

  test('a limit of GitHub is passed on with the time to wait, and nothing is half-done', async () => {
    const { github, admin } = given;
    const { project, repository, deployKey } = await declareAtGithub(given);
    await admin.call('DELETE', `/v1/deploy-keys/${deployKey.id}`);
    const soon = Math.ceil(Date.now() / 1000) + 1;
    github.fail({
      ...{ method: 'POST', path: /keys$/, status: 403 },
      headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(soon) },
      body: { message: 'API rate limit exceeded', documentation_url: 'https://docs' },
    });
    const limited = await admin.call('POST', '/v1/deploy-keys', { project_id: project.id });
    assert.deepEqual([limited.status, limited.body.code], [503, 'source_host_rate_limited']);
    assert.ok(Number(limited.headers['retry-after']) <= 2);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    for (const failure of [{ status: 502 }, { how: 'cut-off' as const }]) {
      github.fail({ method: 'POST', path: /keys$/, ...failure });
      const failed = await admin.call('POST', '/v1/deploy-keys', { project_id: project.id });
      assert.deepEqual([failed.status, failed.body.code], [503, 'source_host_unreachable']);
    }
    assert.equal((await admin.call('POST', '/v1/deploy-keys', { project_id: project.id })).status, 201);
    assert.equal(github.repository(repository).keys.size, 1);
  });

  test('a connection is refused with the permission that is missing, and takes no more than it needs', async () => {
    const { github, admin } = given;
    const app = {
      app_id: github.githubApp.id,
      installation_id: github.githubApp.installationId,
      private_key: github.githubApp.privateKey,
    };
    const attempt = async (credential: object) =>
      (await admin.call('POST', '/v1/connections', { name: 'refused', kind: 'github', ...credential })).body
        .detail;
    github.githubApp.permissions = { ...github.githubApp.permissions, repository_hooks: 'read' };
    assert.match(await attempt(app), /lacks: Webhooks \(write\)/);
    github.githubApp.permissions.repository_hooks = 'write';
    github.githubApp.suspended = true;
    assert.match(await attempt(app), /suspended/);
    github.githubApp.suspended = false;
    assert.match(await attempt({ ...app, installation_id: '1' }), /no installation 1/);
    assert.match(await attempt({ ...app, private_key: 'no key' }), /PEM/);
    assert.match(await attempt({ token: 'github_pat_wrong' }), /revoked, has expired or is mistyped/);
    delete github.token.permissions.repository_hooks;
    assert.match(await attempt({ token: github.token.value }), /lacks: Webhooks \(write\)/);
    github.token.permissions.repository_hooks = 'write';
    const connection = await connect(admin, app);
    const { body } = await admin.call('GET', `/v1/connections/${connection.id}`);
    assert.deepEqual(body.host_keys, github.hostKeys);
    const { name, id } = await github.addRepository('acme/by-app');
    const project = await admin.call('POST', '/v1/projects', {
      ...{ connection_id: connection.id, name: 'by-app', repository: name },
    });
    await admin.call('POST', '/v1/deploy-keys', { project_id: project.body.id });
    assert.deepEqual(github.githubApp.minted.at(-1), {
      repositories: [id],
      permissions: { administration: 'write' },
    });
  });

  test('host keys are asked for again once a day; a change is pinned and audited, no answer changes nothing', async () => {
    const { github, admin, context } = given;
    const connection = await connect(admin, { token: github.token.value });
    const look = async () => {
      await context.database
        .updateTable('connection')
        .set({ checked_at: new Date(0) })
        .execute();
      while ((await refreshHostKeys(context, signal)) > 0);
      return (await admin.call('GET', `/v1/connections/${connection.id}`)).body.host_keys;
    };
    const before = github.hostKeys;
    assert.deepEqual(await look(), before);
    const other = await client.makeKey();
    github.hostKeys = [other.publicKey.split(' ').slice(0, 2).join(' ')];
    github.token.revoked = true;
    assert.deepEqual(await look(), before);
    github.token.revoked = false;
    assert.deepEqual(await look(), github.hostKeys);
    const { body } = await admin.call('GET', '/v1/audit-events?limit=100');
    const changes = body.items.filter(
      ({ action, subject }: { action: string; subject: string }) =>
        action === 'connection.host_keys_changed' && subject === connection.id,
    );
    assert.equal(changes.length, 1);
    assert.match(changes[0].detail.after[0], /^ssh-ed25519 SHA256:/);
    github.hostKeys = before;
    await look();
  });
});

async function waitForAsync(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) {
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
