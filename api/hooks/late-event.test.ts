import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { pushPayload, repositoryPayload } from '../source-hosts/github/github-payloads-for-tests.ts';
import {
  declareAtGithub,
  type GithubContext,
  openGithubContext,
} from '../source-hosts/github/github-project-for-tests.ts';

const signal = AbortSignal.timeout(300_000);
const objectId = () => randomBytes(20).toString('hex');
const at = (second: number) => new Date(Date.UTC(2030, 0, 1, 12, 0, second)).toISOString();

describe('an event that comes late', () => {
  let given: GithubContext;
  before(async () => {
    given = await openGithubContext();
  });
  after(() => given.close());

  /** Deliveries newest first, when each was dealt with. */
  const dealtWith = async (binding: { id: string }, wanted: number) => {
    for (;;) {
      const { body } = await given.admin.call('GET', `/v1/hook-bindings/${binding.id}/deliveries`);
      const done = body.items.filter(
        ({ build, reason }: { build: unknown; reason: unknown }) => build !== null || reason !== null,
      );
      if (done.length >= wanted) return done;
      await sleep(20, undefined, { signal });
    }
  };
  const push = async (repository: string, more: { commit: string; at?: string; message?: string }) => {
    const stored = given.github.repository(repository);
    const payload = pushPayload(repositoryPayload(stored, given.github.url), {
      ...{ event: 'push', delivery: '', repository, deleted: false, skip: false, message: 'A change' },
      ...{ author: 'Ada', ref: 'refs/heads/main', before: objectId() },
      ...more,
    });
    await given.github.deliver(repository, 'push', payload);
  };
  const builds = async (project: { id: string }) =>
    (await given.admin.call('GET', `/v1/builds?project_id=${project.id}`)).body.items;

  test('does not build, nor deploy, an older push after a newer one', async () => {
    const { repository, binding, project } = await declareAtGithub(given);
    const [older, newer, newest] = [objectId(), objectId(), objectId()];
    await push(repository, { commit: newer, at: at(20) });
    await push(repository, { commit: older, at: at(10) });
    const [late] = await dealtWith(binding, 3);
    assert.match(late.reason, /newer push to this branch/);
    await push(repository, { commit: newest, at: at(30) });
    await dealtWith(binding, 4);
    const built = (await builds(project)).map(({ commit }: { commit: string }) => commit);
    assert.deepEqual(built, [newest, newer]);
  });

  test('does not put an older commit of a fork in the place of a newer one', async () => {
    const { repository, binding, project } = await declareAtGithub(given);
    const [older, newer] = [objectId(), objectId()];
    const change = { number: 5, branch: 'patch', fork: true, action: 'synchronize' };
    await given.github.openPullRequest(repository, { ...change, commit: newer, at: at(20) });
    await given.github.openPullRequest(repository, { ...change, commit: older, at: at(10) });
    const [late] = await dealtWith(binding, 3);
    assert.match(late.reason, /newer change of pull request 5/);
    const waiting = await builds(project);
    assert.deepEqual(
      waiting.map(({ commit, state }: { commit: string; state: string }) => [commit, state]),
      [[newer, 'awaiting_approval']],
    );
  });

  test('with a message whose cut would leave half a character is stored like any other', async () => {
    const { repository, binding, project } = await declareAtGithub(given);
    await push(repository, { commit: objectId(), message: `${'a'.repeat(499)}😀 and more` });
    await dealtWith(binding, 2);
    const [build] = await builds(project);
    assert.equal(build.message, `${'a'.repeat(499)}\u{fffd}`);
  });
});
