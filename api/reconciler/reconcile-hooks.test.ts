import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { pushPayload, repositoryPayload } from '../source-hosts/github/github-payloads-for-tests.ts';
import {
  declareAtGithub,
  type GithubContext,
  openGithubContext,
} from '../source-hosts/github/github-project-for-tests.ts';
import { commit } from '../test-client.ts';
import { reconcileHooks } from './reconcile-hooks.ts';

const signal = AbortSignal.timeout(300_000);
const hour = 3_600_000;
const zeros = '0'.repeat(40);

describe('what a hook missed', () => {
  let given: GithubContext;
  before(async () => {
    given = await openGithubContext();
  });
  after(() => given.close());

  const builds = async (project: { id: string }) =>
    (await given.admin.call('GET', `/v1/builds?project_id=${project.id}`)).body.items;
  /** As if the last look had been some time ago. */
  const reconcile = async (binding: { id: string }, ago = 600_000) => {
    await given.context.database
      .updateTable('hook_binding')
      .set({ reconciled_at: new Date(Date.now() - ago) })
      .where('id', '=', binding.id)
      .execute();
    await reconcileHooks(given.context, signal);
    await given.github.idle();
    await settled(binding);
  };
  const settled = async ({ id }: { id: string }) => {
    const waiting = given.context.database
      .selectFrom('webhook_delivery')
      .select('delivery')
      .where('hook_binding_id', '=', id)
      .where('processed_at', 'is', null);
    while ((await waiting.execute()).length > 0) await sleep(20, undefined, { signal });
  };
  const tell = async (repository: string, push: { ref: string; before: string; commit: string }) => {
    const stored = given.github.repository(repository);
    const payload = pushPayload(repositoryPayload(stored, given.github.url), {
      ...{ event: 'push', delivery: '', repository, deleted: false, skip: false },
      ...{ message: 'A change', author: 'Ada' },
      ...push,
    });
    await given.github.deliver(repository, 'push', payload);
  };

  test('comes after a long outage, all of it, a part at a time', async () => {
    const { repository, binding, folder } = await declareAtGithub(given, { tags: ['**'] });
    const head = await commit(folder);
    given.github.losing = true;
    for (let index = 0; index < 25; index += 1)
      await tell(repository, { ref: `refs/tags/v${index}`, before: zeros, commit: head });
    given.github.losing = false;
    const [log = []] = given.github.repository(repository).deliveries.values();
    for (const delivery of log) delivery.delivered_at = new Date(Date.now() - 3 * hour).toISOString();
    await given.context.database
      .updateTable('hook_binding')
      .set({ log_read_to: new Date(Date.now() - 4 * hour) })
      .where('id', '=', binding.id)
      .execute();
    const came = async () => {
      const rows = await given.context.database
        .selectFrom('webhook_delivery')
        .select('ref')
        .where('hook_binding_id', '=', binding.id)
        .where('ref', 'like', 'refs/tags/%')
        .execute();
      return rows.length;
    };
    await reconcile(binding);
    assert.ok((await came()) < 25, 'not all at once');
    await reconcile(binding);
    assert.equal(await came(), 25);
  });

  test('is found by the branches also where the log of deliveries cannot be read', async () => {
    const { repository, binding, project, folder } = await declareAtGithub(given);
    const silent = await commit(folder, 'main', 'Silent');
    given.github.fail({
      ...{ method: 'GET', path: new RegExp(`${repository}/hooks/.*deliveries`), status: 403 },
      body: {
        message: 'Resource not accessible by personal access token',
        documentation_url: 'https://docs',
      },
    });
    await reconcile(binding);
    assert.deepEqual(
      (await builds(project)).map(({ commit }: { commit: string }) => commit),
      [silent],
    );
  });

  test('is nothing that was there before the branches could be listed for the first time', async () => {
    const { repository, binding, project, folder } = await declareAtGithub(given, { branches: ['**'] });
    for (const branch of ['main', 'old', 'older']) await commit(folder, branch, `On ${branch}`);
    const { database } = given.context;
    await database.deleteFrom('branch_head').where('hook_binding_id', '=', binding.id).execute();
    await database
      .updateTable('hook_binding')
      .set({ compared_since: null })
      .where('id', '=', binding.id)
      .execute();
    given.github.fail({
      ...{ method: 'GET', path: new RegExp(`${repository}/branches`), status: 403 },
      body: {
        message: 'Resource not accessible by personal access token',
        documentation_url: 'https://docs',
      },
    });
    await reconcile(binding);
    await reconcile(binding);
    assert.deepEqual(await builds(project), []);
    const next = await commit(folder, 'old', 'New');
    await reconcile(binding);
    assert.deepEqual(
      (await builds(project)).map(({ commit }: { commit: string }) => commit),
      [next],
    );
  });

  test('is built when it sets a branch back to a commit that was built before', async () => {
    const { repository, binding, project, folder } = await declareAtGithub(given);
    const first = await commit(folder, 'main', 'First');
    await tell(repository, { ref: 'refs/heads/main', before: zeros, commit: first });
    const second = await commit(folder, 'main', 'Second');
    await tell(repository, { ref: 'refs/heads/main', before: first, commit: second });
    await settled(binding);
    await reconcile(binding);
    assert.equal((await builds(project)).length, 2, 'what webhooks told is not built again');
    execFileSync('git', ['--git-dir', folder, 'update-ref', 'refs/heads/main', first]);
    await reconcile(binding);
    await reconcile(binding);
    const built = (await builds(project)).map(({ commit }: { commit: string }) => commit);
    assert.deepEqual(built, [first, second, first]);
  });
});
