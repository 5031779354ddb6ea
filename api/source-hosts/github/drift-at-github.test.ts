import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { declareAtGithub, type GithubContext, openGithubContext } from './github-project-for-tests.ts';

describe('what was changed at GitHub by hand, or got lost on the way', () => {
  let given: GithubContext;
  before(async () => {
    given = await openGithubContext();
  });
  after(async () => {
    await given.close();
    assert.deepEqual(given.github.violations, []);
  });

  const hookOf = (repository: string) => {
    const hooks = [...given.github.repository(repository).hooks.values()];
    assert.equal(hooks.length, 1, 'there is one hook');
    const [hook] = hooks;
    assert.ok(hook);
    return hook;
  };
  type Hook = ReturnType<typeof hookOf>;
  const changes: [string, (hook: Hook) => void][] = [
    ['stopped', (hook) => Object.assign(hook, { active: false })],
    ['pointed elsewhere', (hook) => Object.assign(hook.config, { url: 'https://elsewhere.example.com/' })],
    ['robbed of its secret', (hook) => void delete hook.config.secret],
    ['told to verify no certificate', (hook) => Object.assign(hook.config, { insecure_ssl: '1' })],
    ['told to send forms', (hook) => Object.assign(hook.config, { content_type: 'form' })],
  ];
  for (const [what, change] of changes) {
    test(`a hook that was ${what} is seen, and the next apply sets it right in its place`, async () => {
      const { repository, project, binding } = await declareAtGithub(given);
      const before = structuredClone(hookOf(repository));
      change(hookOf(repository));
      const path = `/v1/hook-bindings/${binding.id}`;
      assert.equal((await given.admin.call('GET', path)).status, 404, 'plan makes a new one');
      const { status, body } = await given.admin.call('POST', '/v1/hook-bindings', {
        ...{ project_id: project.id, branches: ['main', 'release/*'] },
      });
      assert.deepEqual([status, body.id], [201, binding.id]);
      assert.deepEqual(hookOf(repository), before);
      assert.equal((await given.admin.call('GET', path)).status, 200);
      const again = await given.admin.call('POST', '/v1/hook-bindings', { project_id: project.id });
      assert.deepEqual([again.status, again.body.code], [409, 'hook_binding_exists']);
    });
  }

  for (const failure of [{ status: 502 }, { how: 'cut-off' as const }]) {
    test(`a hook whose making was not answered (${failure.status ?? failure.how}) is completed by the next request`, async () => {
      const { admin, github } = given;
      const { repository, project, binding } = await declareAtGithub(given);
      assert.equal((await admin.call('DELETE', `/v1/hook-bindings/${binding.id}`)).status, 204);
      const create = async () =>
        await admin.call('POST', '/v1/hook-bindings', { project_id: project.id, branches: ['main'] });
      github.fail({ method: 'POST', path: /hooks$/, when: 'after', ...failure });
      assert.equal((await create()).status, 503);
      const { id } = hookOf(repository);
      github.fail({ method: 'GET', path: /hooks$/, status: 403, body: { message: 'Forbidden' } });
      assert.equal((await create()).status, 422, 'a no that says nothing of the first attempt');
      const { status, body } = await create();
      assert.deepEqual([status, body.source_host_id], [201, String(id)]);
      assert.equal(hookOf(repository).id, id);
      assert.equal((await admin.call('DELETE', `/v1/hook-bindings/${body.id}`)).status, 204);
      assert.equal(github.repository(repository).hooks.size, 0);
    });
  }

  test('a delivery that Ebb refuses again when it is asked for is not asked for once more', async () => {
    const { github } = given;
    const { repository, project } = await declareAtGithub(given);
    const host = await hostOf(project);
    const hook = hookOf(repository);
    const { secret } = hook.config;
    const log = async () =>
      (await host?.failedDeliveries?.(repository, String(hook.id), new Date(0), signal())) ?? [];
    const askFor = async (id = '') => {
      await host?.redeliver?.(repository, String(hook.id), id, signal());
      await github.idle();
    };
    hook.config.secret = 'changed by hand';
    await github.deliver(repository, 'ping', pingOf(repository));
    await github.idle();
    const [refused] = await log();
    assert.ok(refused, 'it is tried once more: the secret may have been repaired meanwhile');
    await askFor(refused.id);
    assert.deepEqual(await log(), []);
    github.losing = true;
    await github.deliver(repository, 'ping', pingOf(repository));
    const [lost] = await log();
    await askFor(lost?.id);
    assert.equal((await log()).length, 1, 'what does not come is asked for again');
    github.losing = false;
    if (secret) hook.config.secret = secret;
    await askFor((await log())[0]?.id);
    assert.deepEqual(await log(), []);
  });

  test('a request to deliver again whose answer got lost, and the log of a hook that is gone, hold nothing up', async () => {
    const { github } = given;
    const { repository, project } = await declareAtGithub(given);
    const host = await hostOf(project);
    const hook = hookOf(repository);
    const since = new Date(0);
    github.losing = true;
    await github.deliver(repository, 'ping', pingOf(repository));
    const [failed] = (await host?.failedDeliveries?.(repository, String(hook.id), since, signal())) ?? [];
    assert.ok(failed);
    github.fail({ method: 'POST', path: /attempts$/, when: 'after', status: 502 });
    const again = () => host?.redeliver?.(repository, String(hook.id), failed.id, signal());
    await assert.rejects(async () => await again(), { code: 'unreachable' });
    github.repository(repository).hooks.clear();
    await again();
    assert.deepEqual(await host?.failedDeliveries?.(repository, String(hook.id), since, signal()), []);
    github.losing = false;
    github.remove(repository);
    await assert.rejects(async () => await again(), { code: 'repository_not_found' });
  });

  const signal = () => AbortSignal.timeout(30_000);

  async function hostOf(project: { id: string }) {
    const row = await given.context.database
      .selectFrom('project')
      .innerJoin('connection', 'connection.id', 'project.connection_id')
      .selectAll('connection')
      .select(['connection.id as connection_id', 'project.repository', 'project.repository_id'])
      .where('project.id', '=', project.id)
      .executeTakeFirstOrThrow();
    return given.context.sourceHosts.of(row);
  }

  function pingOf(repository: string) {
    const [hook] = given.github.repository(repository).hooks.values();
    return { zen: 'Design for failure.', hook_id: hook?.id };
  }
});
