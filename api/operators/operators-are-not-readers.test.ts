import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Scope } from '../../contract/token.ts';
import { describeApi } from '../../test/describe-api.ts';
import { createApiKey } from '../auth/api-key.ts';
import { transition } from '../builds/state-machine.ts';
import { json } from '../db/database.ts';
import { appendLog } from '../logs/append-log.ts';
import { signBuildReceipts } from '../receipts/sign-build-receipts.ts';
import { addOperator, type Client, created, declareBuildableProject, signIn } from '../test-client.ts';

/** What is in a team's things, each word once: wherever it turns up, something was read. */
const content = {
  ...{ environment: 'canary-environment', command: 'canary-command', secretName: 'CANARY_SECRET' },
  ...{
    log: 'canary-log',
    message: 'canary-message',
    failed: 'canary-failed-command',
    reason: 'canary-reason',
  },
  ...{ grant: 'canary-grant', address: 'canary@example.com', branch: 'canary-branch' },
};
const open = [
  ...['/v1/health', '/v1/ready', '/.well-known/jwks.json', '/builds/{id}'],
  ...['/v1/operator/overview', '/v1/operator/teams', '/v1/operator/fleet'],
  // Pages for people, and where they are led by a browser.
  ...['/sign-in', '/email-change', '/invitation', '/v1/sign-in/github', '/v1/sign-in/github/callback'],
];
// What a runner wraps anew and rotates: ids, and keys that are wrapped.
const forRunners = ['/v1/key-encryption', '/v1/wrapped-keys', '/v1/key-rotations'];

const parameters = {
  ...{ repository: 'ssh://git@git.example.com/shop.git', image: 'base', environment: ['SHOP'] },
  ...{ commands: { setup: [], test: [content.command], deploy: [] }, memoryMib: 1024, timeoutSeconds: 60 },
  secrets: [{ name: content.secretName, phases: ['test' as const] }],
};

describeApi('operators are not readers', (given) => {
  let owner: Client;
  let ids: string[];
  let projectName: string;

  before(async () => {
    const { context } = given();
    owner = await signIn(given(), given().keys.admin);
    const declared = { environment: { SHOP: content.environment }, test: [content.command] };
    const project = await declareBuildableProject(given(), owner, declared);
    const of = { project_id: project.id };
    const secret = await created(owner, '/v1/secrets', { ...of, name: content.secretName, value: 'hush' });
    const hook = await created(owner, '/v1/hook-bindings', { ...of, branches: [content.branch] });
    const build = await created(owner, '/v1/builds', of);
    await transition(context.database, build.id, 'claim', 'starting', { parameters: json(parameters) });
    const place = { id: build.id, project_id: project.id };
    await transition(context.database, build.id, 'vm_ready', 'running');
    await appendLog(context, place, { attempt: 0, offset: 0 }, Buffer.from(content.log));
    const said = { message: content.message, failed_command: content.failed, reason: content.reason };
    const over = { finished_at: new Date(), started_at: new Date(Date.now() - 5_000) };
    await transition(context.database, build.id, 'finish', 'failed', { ...said, ...over });
    const receipts = await signBuildReceipts(context, build.id);
    const grant = await created(owner, '/v1/access-grants', {
      ...{ ...of, reason: content.grant, scope: ['environment'], notify: [content.address] },
      ends_at: `${new Date(Date.now() + 3_600_000).toISOString().slice(0, 19)}Z`,
    });
    const [key] = (await owner.call('GET', '/v1/deploy-keys')).body.items;
    projectName = project.name;
    ids = [
      project.id,
      project.connectionId,
      secret.id,
      hook.id,
      build.id,
      receipts.provenance,
      key.id,
      grant.id,
    ];
  });

  /** Every GET of the published description, with each of the team's ids in each place. */
  async function walk(client: Client) {
    const { paths } = (await owner.call('GET', '/v1/openapi.json')).body;
    const found: { path: string; status: number; text: string }[] = [];
    for (const [path, methods] of Object.entries<Record<string, unknown>>(paths)) {
      if (!methods.get) continue;
      for (const url of filled(path)) {
        const late = delay(10_000, undefined, { ref: false }).then(() => assert.fail(`${url} streams`));
        const { status, text } = await Promise.race([client.call('GET', url), late]);
        found.push({ path, status, text });
      }
    }
    return found;
  }
  function filled(path: string): string[] {
    const [parameter] = /\{[a-z]+\}/.exec(path) ?? [];
    if (!parameter) return [path];
    return ids.flatMap((id) => filled(path.replace(parameter, id)));
  }
  const shows = (text: string) =>
    [...Object.values(content), projectName].filter((word) => text.includes(word));

  test('the walk finds all of it when the team itself goes', async () => {
    const shown = new Set((await walk(owner)).flatMap(({ text }) => shows(text)));
    assert.deepEqual(
      [...Object.values(content), projectName].filter((word) => !shown.has(word)),
      [],
    );
  });

  for (const granted of [
    ['operator'],
    ['core_crew'],
    ['runner'],
    ['operator', 'core_crew', 'runner'],
  ] as Scope[][])
    test(`a key with ${granted.join(', ')} reads nothing of a team at any address`, async () => {
      const client = await signIn(given(), await addOperator(given(), granted));
      const environment = /\/projects\/\{project\}\/environment$/;
      for (const { path, status, text } of await walk(client)) {
        if (environment.test(path) && granted.includes('core_crew') && status === 200) continue;
        assert.deepEqual(shows(text), [], path);
        if (granted.includes('runner') && forRunners.includes(path)) continue;
        if (!open.includes(path)) assert.ok([401, 403, 404].includes(status), `${path} answers ${status}`);
      }
    });

  test('what is the operators’ counts for nothing in a key of another team', async () => {
    const { team_id: teamId } = await given()
      .context.database.selectFrom('project')
      .select('team_id')
      .where('id', '=', ids[0] ?? '')
      .executeTakeFirstOrThrow();
    const key = {
      teamId,
      name: 'greedy',
      scopes: ['operator', 'core_crew', 'runner'] as Scope[],
      now: new Date(),
    };
    const client = await signIn(given(), await createApiKey(given().context.database, key));
    assert.equal((await client.call('GET', '/v1/operator/overview')).body.code, 'insufficient_scope');
    const use = await client.call('GET', `/v1/access-grants/${ids.at(-1)}/builds`);
    assert.equal(use.body.code, 'not_core_crew');
    const claim = await client.call('POST', `/v1/builds/${ids[4]}/claim`, { lease_holder: 'x' });
    assert.equal(claim.body.code, 'insufficient_scope');
  });

  test('an operator sees counts, the queue and durations of teams by id', async () => {
    const operator = await signIn(given(), await addOperator(given(), ['operator']));
    const { status, body } = await operator.call('GET', '/v1/operator/overview');
    assert.equal(status, 200);
    assert.partialDeepStrictEqual(body.builds, { failed: 1, running: 0 });
    assert.deepEqual(Object.keys(body.queue), ['waiting', 'leased', 'expired']);
    assert.equal(body.teams.length, 1);
    const [team] = body.teams;
    assert.match(team.team_id, /^team_/);
    assert.ok(team.builds === 1 && team.duration_p50 >= 5 && team.duration_p95 >= team.duration_p50);
    const crew = await signIn(given(), await addOperator(given(), ['core_crew']));
    assert.equal((await crew.call('GET', '/v1/operator/overview')).status, 403);
  });
});
