import assert from 'node:assert/strict';
import { before, beforeEach, test } from 'node:test';
import { type CustodyEvent, maxCustodyEvents } from '../../contract/custody-event.ts';
import { type ClaimedBuild, startBuild } from '../../test/attacks/runner-for-tests.ts';
import { describeApi } from '../../test/describe-api.ts';
import { type Client, created, declareBuildableProject, signIn } from '../test-client.ts';

const at = '2026-01-02T03:04:05.000Z';

describeApi('what a runner does with keys', (given) => {
  let admin: Client;
  let runner: Client;
  let project: { id: string };
  let id: string;
  let build: ClaimedBuild;
  before(async () => {
    admin = await signIn(given(), given().keys.admin);
    runner = await signIn(given(), given().keys.runner);
  });
  beforeEach(async () => {
    project = await declareBuildableProject(given(), admin);
    id = (await created(admin, '/v1/builds', { project_id: project.id })).id;
    build = await startBuild(given(), runner, id);
  });
  const tell = (number: number, event: CustodyEvent | object, more: object = {}) =>
    build.report('custody-events', { number, at, event, ...more });
  const audited = async (): Promise<{ action: string; actor: string; detail: Record<string, unknown> }[]> =>
    (await admin.call('GET', `/v1/audit-events?subject=${id}&limit=100`)).body.items
      .filter(({ action }: { action: string }) => !action.startsWith('build.'))
      .reverse();

  test('is in the audit of its team, in order, with the runner, the attempt and the moment', async () => {
    const events: CustodyEvent[] = [
      { action: 'deploy_key.opened' },
      { action: 'deploy_key.refused', code: 'wrong_user' },
      { action: 'deploy_key.signed', signs: 1 },
      { action: 'deploy_key.closed', signs: 1, refusals: 1 },
      { action: 'secrets.opened', phase: 'deploy', count: 1, names: ['TOKEN'] },
    ];
    for (const [index, event] of events.entries()) assert.equal((await tell(index + 1, event)).status, 204);
    const shown = await audited();
    assert.deepEqual(
      shown.map(({ action, detail: { project: _p, attempt: _a, at: _at, runner: _r, ...detail } }) => ({
        action,
        ...detail,
      })),
      events,
    );
    assert.deepEqual(shown[0]?.detail, { project: project.id, attempt: 1, at, runner: 'runner-1' });
    assert.match(shown[0]?.actor ?? '', /^key_/);
  });

  test('is written once, however often it is reported', async () => {
    await Promise.all(Array.from({ length: 5 }, () => tell(1, { action: 'deploy_key.opened' })));
    assert.equal((await tell(1, { action: 'deploy_key.signed', signs: 1 })).status, 204);
    assert.deepEqual(
      (await audited()).map(({ action }) => action),
      ['deploy_key.opened'],
    );
  });

  test('is bounded: a runner that a VM drives mad cannot fill the audit', async () => {
    const answers: number[] = [];
    for (let number = 0; number <= maxCustodyEvents + 2; number++)
      answers.push((await tell(number, { action: 'deploy_key.refused', code: 'not_bound' })).status);
    assert.equal(answers.filter((status) => status === 204).length, maxCustodyEvents);
    assert.equal(answers.filter((status) => status === 422).length, 3);
    assert.equal((await audited()).length, maxCustodyEvents);
  });

  test('says nothing that was not agreed on', async () => {
    const refused = [
      { action: 'deploy_key.exported' },
      { action: 'deploy_key.opened', note: 'free text' },
      { action: 'deploy_key.refused', code: 'what the VM wrote' },
      { action: 'deploy_key.closed', signs: 1, refusals: 1e9 },
      { action: 'secrets.opened', phase: 'deploy', count: 1, names: ['value=hunter2'] },
      { action: 'secrets.opened', phase: 'deploy', count: 101, names: Array(101).fill('A') },
    ];
    for (const event of refused) assert.equal((await tell(1, event)).status, 422, JSON.stringify(event));
    const huge = await tell(1, { action: 'deploy_key.opened' }, { padding: 'x'.repeat(20_000) });
    assert.equal(huge.status, 413);
    assert.deepEqual(await audited(), []);
  });

  test('is refused before it happens: nothing is opened for a build that is to be cancelled', async () => {
    await admin.call('POST', `/v1/builds/${id}/cancel`);
    for (const event of [
      { action: 'deploy_key.opened' },
      { action: 'secrets.opened', phase: 'test', count: 1, names: ['TOKEN'] },
    ]) {
      const answer = await tell(1, event);
      assert.deepEqual([answer.status, answer.body.code], [409, 'not_to_open']);
    }
    assert.equal((await tell(1, { action: 'deploy_key.closed', signs: 0, refusals: 0 })).status, 204);
  });

  test('of an attempt that is over is written down as its own, and opens nothing', async () => {
    await build.report('finish', { outcome: 'lost', reason: 'The VM died.' });
    assert.equal((await tell(1, { action: 'deploy_key.opened' })).status, 409);
    await startBuild(given(), runner, id);
    const late = await tell(1, { action: 'deploy_key.opened' });
    assert.deepEqual([late.status, late.body.code], [409, 'old_attempt']);
    const done: CustodyEvent[] = [
      { action: 'deploy_key.signed', signs: 1 },
      { action: 'deploy_key.refused', code: 'wrong_user' },
      { action: 'deploy_key.closed', signs: 1, refusals: 1 },
    ];
    for (const [index, event] of done.entries()) assert.equal((await tell(index + 1, event)).status, 204);
    assert.deepEqual(
      (await audited()).map(({ action, detail }) => [action, detail.attempt, detail.runner]),
      done.map(({ action }) => [action, 1, undefined]),
      'whose lease it was is not known any more',
    );
  });
});
