import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { reconcileHooks } from '../../api/reconciler/reconcile-hooks.ts';
import { pushPayload, repositoryPayload } from '../../api/source-hosts/github/github-payloads-for-tests.ts';
import {
  declareAtGithub,
  type GithubContext,
  openGithubContext,
} from '../../api/source-hosts/github/github-project-for-tests.ts';
import { commit } from '../../api/test-client.ts';

const signal = AbortSignal.timeout(240_000);
const lost = 20;

/** https://github.com/actions/actions-runner-controller/issues/2788 and https://github.com/ubicloud/ubicloud/pull/1042 */
describe('webhooks are lost', () => {
  let given: GithubContext;
  before(async () => {
    given = await openGithubContext();
  });
  after(() => given?.close());

  test('each has exactly one build in the end, though two look for them at once and again', async () => {
    const { repository, binding, project, folder } = await declareAtGithub(given, { tags: ['**'] });
    const refs = Array.from({ length: lost }, (_, index) => `refs/tags/v${index}`);
    const head = await commit(folder);
    given.github.losing = true;
    for (const ref of refs) await tell(repository, ref, head);
    given.github.losing = false;
    for (let look = 0; look < 3; look += 1) await reconcileTwice(binding.id);
    const builds = await given.context.database
      .selectFrom('build')
      .select('ref')
      .where('project_id', '=', project.id)
      .where('ref', 'like', 'refs/tags/%')
      .execute();
    assert.deepEqual(builds.map(({ ref }) => ref).toSorted(), refs.toSorted());
  });

  async function tell(repository: string, ref: string, head: string): Promise<void> {
    const payload = pushPayload(repositoryPayload(given.github.repository(repository), given.github.url), {
      ...{ event: 'push', delivery: '', repository, deleted: false, skip: false },
      ...{ message: 'A change', author: 'Ada', ref, before: '0'.repeat(40), commit: head },
    });
    await given.github.deliver(repository, 'push', payload);
  }

  /** As two API processes do, some time after their last look. */
  async function reconcileTwice(binding: string): Promise<void> {
    await given.context.database
      .updateTable('hook_binding')
      .set({ reconciled_at: new Date(Date.now() - 600_000) })
      .where('id', '=', binding)
      .execute();
    await Promise.all([reconcileHooks(given.context, signal), reconcileHooks(given.context, signal)]);
    await given.github.idle();
    const unread = given.context.database
      .selectFrom('webhook_delivery')
      .select('delivery')
      .where('hook_binding_id', '=', binding)
      .where('processed_at', 'is', null);
    while ((await unread.execute()).length > 0) await delay(20, undefined, { signal });
  }
});
