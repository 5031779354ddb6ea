import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { refreshHostKeys } from '../../connections/refresh-host-keys.ts';
import { reconcileHooks } from '../../reconciler/reconcile-hooks.ts';
import { reportStatuses } from '../../statuses/report-statuses.ts';
import { commit, send, signIn } from '../../test-client.ts';
import { type ClientKey, createGitClient, type GitClient } from '../git-client.ts';
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
  let developer: ClientKey;
  before(async () => {
    given = await openGithubContext();
    client = await createGitClient();
    developer = await client.makeKey();
    await given.github.git.authorizeUser(developer.publicKey);
  });
  after(async () => {
    await given.close();
    await client.close();
    assert.deepEqual(given.github.violations, []);
  });

  const source = (repository: string) => ({ ...given.github.git.host.clone(repository) });
  const push = (repository: string, message: string, branch = 'main') =>
    client.commitAndPush(source(repository), developer, message, branch);
  const builds = async (project: { id: string }, wanted: number) => {
    for (;;) {
      const { body } = await given.admin.call('GET', `/v1/builds?project_id=${project.id}`);
      if (body.items.length >= wanted) return body.items;
      signal.throwIfAborted();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const deliveries = async (binding: { id: string }, wanted: number) => {
    for (;;) {
      const { body } = await given.admin.call('GET', `/v1/hook-bindings/${binding.id}/deliveries`);
      const done = body.items.filter(
        ({ build, reason }: { build: unknown; reason: unknown }) => build !== null || reason !== null,
      );
      if (done.length >= wanted) return done;
      signal.throwIfAborted();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  /** As if the pause before the next try had passed. */
  const due = async ({ id }: { id: string }) =>
    await given.context.database
      .updateTable('build')
      .set({ status_retry_at: null })
      .where('id', '=', id)
      .execute();
  /** As if the five minutes between two looks had passed. */
  const reconcile = async () => {
    await given.context.database.updateTable('hook_binding').set({ reconciled_at: long }).execute();
    while ((await reconcileHooks(given.context, signal)) > 0);
  };
  const long = new Date(Date.now() - 600_000);

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

  test('builds a push, and its state is shown beside the commit until the end', async () => {
    const { repository, project, name } = await declareAtGithub(given);
    const head = await push(repository, 'First');
    const [build] = await builds(project, 1);
    assert.equal(build.commit, head);
    await reportStatuses(given.context, signal);
    await given.admin.call('POST', `/v1/builds/${build.id}/cancel`);
    await reportStatuses(given.context, signal);
    assert.equal(await reportStatuses(given.context, signal), 0, 'nothing is told twice');
    const { statuses } = given.github.repository(repository);
    assert.deepEqual(
      statuses.map(({ sha, state, context }) => ({ sha, state, context })),
      [
        { sha: head, state: 'pending', context: `ebb/${name}` },
        { sha: head, state: 'error', context: `ebb/${name}` },
      ],
    );
    const page = await fetch(statuses[0]?.target_url ?? '');
    assert.equal(page.status, 200);
    assert.match(await page.text(), new RegExp(`ebb logs ${build.id}`));
  });

  test('a status waits as long as GitHub asks, and is given up when GitHub knows no such commit', async () => {
    const { repository, project } = await declareAtGithub(given);
    await push(repository, 'Limited');
    const [build] = await builds(project, 1);
    given.github.fail({
      ...{ method: 'POST', path: /statuses/, status: 403, headers: { 'retry-after': '1' } },
      body: { message: 'You have exceeded a secondary rate limit.', documentation_url: 'https://docs' },
    });
    assert.equal(await reportStatuses(given.context, signal), 0);
    assert.equal(await reportStatuses(given.context, signal), 0, 'not before the second is over');
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    assert.equal(await reportStatuses(given.context, signal), 1);
    await given.context.database
      .updateTable('build')
      .set({ commit: '1'.repeat(40), status_reported: 0 })
      .where('id', '=', build.id)
      .execute();
    assert.equal(await reportStatuses(given.context, signal), 1);
    assert.equal(given.github.repository(repository).statuses.length, 1);
  });

  test('a status that GitHub would not take from a revoked token is shown once there is another', async () => {
    const { repository, project } = await declareAtGithub(given);
    await push(repository, 'Revoked meanwhile');
    const [build] = await builds(project, 1);
    given.github.token.revoked = true;
    assert.equal(await reportStatuses(given.context, signal), 0);
    given.github.token.revoked = false;
    assert.equal(await reportStatuses(given.context, signal), 0, 'not at once');
    await due(build);
    assert.equal(await reportStatuses(given.context, signal), 1);
    assert.equal(given.github.repository(repository).statuses.length, 1);
  });

  test('a missing permission for statuses is in the audit', async () => {
    const { repository, project } = await declareAtGithub(given);
    await push(repository, 'No permission');
    const [build] = await builds(project, 1);
    given.github.fail({
      ...{ method: 'POST', path: new RegExp(`${repository}/statuses`), status: 403 },
      body: {
        message: 'Resource not accessible by personal access token',
        documentation_url: 'https://docs',
      },
    });
    await reportStatuses(given.context, signal);
    const { body } = await given.admin.call('GET', `/v1/audit-events?subject=${project.id}`);
    const [refused] = body.items;
    assert.deepEqual([refused.action, refused.detail.build], ['commit_status.refused', build.id]);
  });

  test('why a build has no VM yet is shown beside its commit', async () => {
    const { repository, project } = await declareAtGithub(given);
    await push(repository, 'No capacity');
    const [build] = await builds(project, 1);
    const runner = await signIn(given, given.keys.runner);
    const claim = await runner.call('POST', `/v1/builds/${build.id}/claim`, { lease_holder: 'runner-1/a' });
    assert.equal(claim.status, 200, claim.text);
    await send(given, {
      ...{ method: 'POST', url: `/v1/builds/${build.id}/waiting` },
      headers: { authorization: `Bearer ${claim.body.token}` },
      payload: { attempt: 1, reason: 'No capacity in 3 zones, next try in 20 s.' },
    });
    await reportStatuses(given.context, signal);
    const shown = given.github.repository(repository).statuses.at(-1);
    assert.deepEqual(
      [shown?.state, shown?.description],
      ['pending', `Build ${build.number} waits: No capacity in 3 zones, next try in 20 s.`],
    );
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

  test('deliveries that were lost are asked for again, and start one build each', async () => {
    const { repository, project, binding } = await declareAtGithub(given);
    await deliveries(binding, 1);
    given.github.losing = true;
    const first = await push(repository, 'Lost once');
    const second = await push(repository, 'Lost twice', 'release/1');
    await given.github.idle();
    await waitFor(() => given.github.repository(repository).deliveries.values().next().value?.length === 3);
    given.github.losing = false;
    await reconcile();
    const found = await builds(project, 2);
    assert.deepEqual(found.map(({ commit }: { commit: string }) => commit).sort(), [first, second].sort());
    await reconcile();
    await deliveries(binding, 3);
    assert.equal((await builds(project, 2)).length, 2, 'nothing is built twice');
  });

  test('a push that even the log of deliveries does not know is found by its branch, and its late webhook starts nothing', async () => {
    const { repository, project, binding, folder } = await declareAtGithub(given);
    const before = await push(repository, 'Known');
    await builds(project, 1);
    // A push that GitHub tells nobody of.
    const silent = await commit(folder, 'main', 'Silent');
    await commit(folder, 'other', 'Bound to nothing');
    await commit(folder, 'release/2', 'Not now\n\n[skip ci]');
    await reconcile();
    const [build] = await builds(project, 2);
    assert.equal(build.commit, silent);
    assert.equal(build.trigger, 'push');
    await reconcile();
    const late = {
      ...{ event: 'push' as const, delivery: '', repository, ref: 'refs/heads/main', before, commit: silent },
      ...{ deleted: false, message: 'Silent', author: 'Ada', skip: false },
    };
    const { pushPayload, repositoryPayload } = await import('./github-payloads-for-tests.ts');
    const stored = given.github.repository(repository);
    await given.github.deliver(
      repository,
      'push',
      pushPayload(repositoryPayload(stored, given.github.url), late),
    );
    const [newest] = await deliveries(binding, 3);
    assert.match(newest.reason, /seen at the source host/);
    assert.equal((await builds(project, 2)).length, 2);
    const audit = (await given.admin.call('GET', '/v1/audit-events')).body.items;
    assert.equal(audit[0].action, 'hook_binding.caught_up');
    assert.equal(audit[0].detail.build, build.id);
  });

  test('a pull request of a fork waits for approval and is built from where GitHub keeps it', async () => {
    const { repository, project } = await declareAtGithub(given);
    const head = await push(repository, 'Base');
    await builds(project, 1);
    await given.github.openPullRequest(repository, { number: 7, commit: head, branch: 'patch', fork: true });
    const [build] = await builds(project, 2);
    assert.equal(build.state, 'awaiting_approval');
    assert.equal(build.ref, 'refs/pull/7/head');
    await reportStatuses(given.context, signal);
    assert.match(given.github.repository(repository).statuses.at(-1)?.description ?? '', /maintainer/);
    assert.equal((await given.admin.call('POST', `/v1/builds/${build.id}/approve`)).body.state, 'queued');
  });

  test('a pull request of the repository itself is built once, by its push', async () => {
    const { repository, project, binding } = await declareAtGithub(given, { branches: ['**'] });
    const head = await push(repository, 'Feature', 'feature');
    await builds(project, 1);
    await given.github.openPullRequest(repository, { number: 8, commit: head, branch: 'feature' });
    const [newest] = await deliveries(binding, 3);
    assert.match(newest.reason, /push to feature/);
    assert.equal((await builds(project, 1)).length, 1);
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

  for (const [by, isTakenAgain] of [
    ['token', false],
    ['app', true],
  ] as const) {
    const also = isTakenAgain ? ', when another has the old one' : '';
    test(`a status is shown in a repository that has another name now${also} (by ${by})`, async () => {
      const { repository, project } = await declareAtGithub(given, {}, by);
      const head = await push(repository, 'Before it was renamed');
      await builds(project, 1);
      given.github.rename(repository, `${repository}-new`);
      if (isTakenAgain) await given.github.addRepository(repository);
      await reportStatuses(given.context, signal);
      const { statuses } = given.github.repository(`${repository}-new`);
      assert.deepEqual(
        statuses.map(({ sha }) => sha),
        [head],
      );
    });
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

async function waitFor(isSo: () => boolean): Promise<void> {
  await waitForAsync(async () => isSo());
}

async function waitForAsync(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) {
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
