import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { reconcileHooks } from '../../reconciler/reconcile-hooks.ts';
import { reportStatuses } from '../../statuses/report-statuses.ts';
import { commit, send, signIn } from '../../test-client.ts';
import { type ClientKey, createGitClient, type GitClient } from '../git-client.ts';
import { pushPayload, repositoryPayload } from './github-payloads-for-tests.ts';
import { declareAtGithub, type GithubContext, openGithubContext } from './github-project-for-tests.ts';

const signal = AbortSignal.timeout(300_000);

describe('pushes to a project at GitHub', () => {
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
      await sleep(20);
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
      await sleep(20);
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
    await sleep(1_100);
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

  test('deliveries that were lost are asked for again, and start one build each', async () => {
    const { repository, project, binding } = await declareAtGithub(given);
    await deliveries(binding, 1);
    given.github.losing = true;
    const first = await push(repository, 'Lost once');
    const second = await push(repository, 'Lost twice', 'release/1');
    await given.github.idle();
    const { deliveries: logged } = given.github.repository(repository);
    while (logged.values().next().value?.length !== 3) await sleep(20, undefined, { signal });
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
});
