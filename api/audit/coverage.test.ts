import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { AuditEntry } from '../../contract/audit.ts';
import { revokeToken } from '../auth/token-life.ts';
import { insertBuild } from '../builds/insert-build.ts';
import { type GithubContext, openGithubContext } from '../source-hosts/github/github-project-for-tests.ts';
import { addOperator, commit, created, requestToken, signIn } from '../test-client.ts';
import { exportLines } from './export-lines.ts';

/*
 * Every route that changes something leaves an entry, or stands here with the reason why it need not: a new one that does
 * neither fails this test. And whatever is recorded, no secret is in it.
 */

const canary = (what: string) => `canary-${what}-${randomUUID()}`;
const secrets = {
  value: canary('value'),
  newValue: canary('new-value'),
  environment: canary('environment'),
  newEnvironment: canary('new-environment'),
  command: canary('command'),
  wrongToken: canary('wrong-token'),
  unknownKey: `ebb_${'k'.repeat(43)}`,
  scope: canary('scope'),
};

let given: GithubContext;
let operatorKey: string;
/** What the routes made so far, by kind. */
const ids: Record<string, string> = {};
before(async () => {
  given = await openGithubContext();
  operatorKey = await addOperator(given, ['operator']);
  await commit(await given.createRepository('shop'));
});
after(() => given.close());

async function make(kind: string, path: string, body: object): Promise<string> {
  const { id } = await created(given.admin, path, body);
  ids[kind] = id;
  return id;
}

async function change(path: string, body: object): Promise<string> {
  const answer = await given.admin.call('PATCH', path, body);
  assert.equal(answer.status, 200, answer.text);
  return answer.body.id;
}

async function remove(kind: string, path: string): Promise<string> {
  const id = ids[kind] ?? '';
  const answer = await given.admin.call('DELETE', `${path}/${id}`);
  assert.equal(answer.status, 204, answer.text);
  return id;
}

/** Revokes; gives what of, as its entries name it. */
async function revoke(path: string, body: object = {}): Promise<string> {
  const answer = await given.admin.call('POST', path, body);
  assert.equal(answer.status, 200, answer.text);
  return answer.body.subject;
}

async function keyIdOf(which: 'admin' | 'runner' | 'operator'): Promise<string> {
  const claims =
    (await signIn(given, which === 'operator' ? operatorKey : given.keys[which])).token.split('.')[1] ?? '';
  return JSON.parse(Buffer.from(claims, 'base64url').toString()).sub;
}

async function asOperator(path: string, body: object): Promise<void> {
  const answer = await (await signIn(given, operatorKey)).call('PATCH', path, body);
  assert.equal(answer.status, 200, answer.text);
}

async function teamId(): Promise<string> {
  const { id } = await given.context.database
    .selectFrom('team')
    .select('id')
    .where('name', '=', 'acme')
    .executeTakeFirstOrThrow();
  return id;
}

async function buildOfFork(): Promise<string> {
  const { context } = given;
  const { team_id: teamId } = await context.database
    .selectFrom('project')
    .select('team_id')
    .where('id', '=', ids.project ?? '')
    .executeTakeFirstOrThrow();
  const fork = { ref: 'refs/pull/1/head', branch: 'main', commit: 'a'.repeat(40), message: '' };
  const build = {
    ...({ projectId: ids.project ?? '', teamId, trigger: 'pull_request', ...fork } as const),
    pullRequest: { number: 1, fromFork: true },
  };
  const inserted = await context.database
    .transaction()
    .execute((transaction) => insertBuild(transaction, build, context.now()));
  return inserted.id;
}

const inHours = (hours: number) => `${new Date(Date.now() + hours * 3_600_000).toISOString().slice(0, 19)}Z`;

type Case =
  | string
  | {
      action: string;
      by?: 'runner' | 'operator' | 'ebb' | 'source host';
      /** In the trail of the operators' team, not in that of the team. */
      ofOperators?: true;
      run(): Promise<string> /* the subject */;
    };

const revoked = 'the steps of a revocation are recorded by the revocation itself, whoever began it';
const used = 'each use of a grant is recorded before it gives anything: api/access-grants/use.test.ts';
const opened = 'is itself the entry: api/builds/custody-events.test.ts';
const rotated = 'the end of a rotation is recorded where it is tried with a runner: test/*-rotation.test.ts';
const byPerson = 'a person does it, by a session, with an entry: api/teams/teams.test.ts';
const ofPerson = 'a person’s own, of no team';
const ofTeam = 'it ends the keys that the other tests need: the last test here looks for its entry';
const reported = 'what a runner tells of its own build stands in the build and in its signed receipt';

// In an order in which each finds what it needs.
const cases: Record<string, Case> = {
  'POST /v1/token': { action: 'token.issued', run: () => keyIdOf('admin') },
  'POST /v1/token/renew': 'a token that is renewed was issued as one, which is recorded',
  'POST /v1/token/introspect': 'it tells of a token and changes nothing',
  'POST /v1/token/revoke': {
    action: 'token.revoked',
    async run() {
      await revokeToken(given.context, (await signIn(given, given.keys.admin)).token);
      return await keyIdOf('admin');
    },
  },
  'POST /v1/connections': {
    action: 'connection.created',
    run: async () => {
      await make('spare', '/v1/connections', {
        name: 'spare',
        kind: 'github',
        token: given.github.token.value,
      });
      return await make('connection', '/v1/connections', { name: 'local', kind: 'local' });
    },
  },
  'PATCH /v1/connections/{id}': {
    action: 'connection.changed',
    run: () => change(`/v1/connections/${ids.spare}`, { token: given.github.token.value }),
  },
  'DELETE /v1/connections/{id}': {
    action: 'connection.deleted',
    run: () => remove('spare', '/v1/connections'),
  },
  'POST /v1/projects': {
    action: 'project.created',
    run: () =>
      make('project', '/v1/projects', {
        ...{ connection_id: ids.connection, name: 'shop', repository: 'shop' },
        ...{ setup: [`echo ${secrets.command}`], environment: { PLAIN: secrets.environment } },
      }),
  },
  'PATCH /v1/projects/{id}': {
    action: 'project.changed',
    run: () =>
      change(`/v1/projects/${ids.project}`, {
        environment: { PLAIN: secrets.newEnvironment },
        test: [`echo ${secrets.command}`],
      }),
  },
  'POST /v1/deploy-keys': {
    action: 'deploy_key.created',
    run: () => make('key', '/v1/deploy-keys', { project_id: ids.project }),
  },
  'PATCH /v1/deploy-keys/{id}': {
    action: 'deploy_key.rotated',
    run: () => change(`/v1/deploy-keys/${ids.key}`, { rotate_when: { why: 'two' } }),
  },
  'POST /v1/hook-bindings': {
    action: 'hook_binding.created',
    run: () => make('hook', '/v1/hook-bindings', { project_id: ids.project }),
  },
  'PATCH /v1/hook-bindings/{id}': {
    action: 'hook_binding.changed',
    run: () => change(`/v1/hook-bindings/${ids.hook}`, { branches: ['main'] }),
  },
  'POST /v1/secrets': {
    action: 'secret.created',
    run: () =>
      make('secret', '/v1/secrets', { project_id: ids.project, name: 'TOKEN', value: secrets.value }),
  },
  'PATCH /v1/secrets/{id}': {
    action: 'secret.changed',
    run: () => change(`/v1/secrets/${ids.secret}`, { value: secrets.newValue }),
  },
  'POST /v1/builds': {
    action: 'build.created',
    run: () => make('build', '/v1/builds', { project_id: ids.project, branch: 'main' }),
  },
  'POST /v1/builds/{id}/claim': {
    ...{ action: 'project_key.released', by: 'runner' },
    run: async () => {
      const runner = await signIn(given, given.keys.runner);
      const claim = { lease_holder: `runner-1/${randomUUID()}` };
      const answer = await runner.call('POST', `/v1/builds/${ids.build}/claim`, claim);
      assert.equal(answer.status, 200, answer.text);
      return ids.project ?? '';
    },
  },
  'POST /v1/builds/{id}/cancel': {
    action: 'build.cancelled',
    run: async () => {
      assert.equal((await given.admin.call('POST', `/v1/builds/${ids.build}/cancel`)).status, 202);
      return ids.build ?? '';
    },
  },
  'POST /v1/builds/{id}/approve': {
    action: 'build.approved',
    run: async () => {
      const id = await buildOfFork();
      assert.equal((await given.admin.call('POST', `/v1/builds/${id}/approve`)).status, 200);
      return id;
    },
  },
  'POST /v1/hooks/{id}': {
    // What is accepted stands in the hook's deliveries; only what is refused is an event.
    ...{ action: 'webhook.refused', by: 'source host' },
    run: async () => {
      const payload = { url: `/v1/hooks/${ids.hook}`, method: 'POST', payload: {} } as const;
      assert.equal((await given.app.inject(payload)).statusCode, 401);
      return ids.hook ?? '';
    },
  },
  'POST /v1/projects/{id}/key-rotations': {
    action: 'project_key.rotation_requested',
    run: async () => {
      const answer = await given.admin.call('POST', `/v1/projects/${ids.project}/key-rotations`);
      assert.equal(answer.status, 202, answer.text);
      return ids.project ?? '';
    },
  },
  'POST /v1/access-grants': {
    action: 'access_grant.given',
    run: () =>
      make('grant', '/v1/access-grants', {
        ...{ project_id: ids.project, reason: 'A look', scope: ['logs'], notify: ['ada@example.com'] },
        ends_at: inHours(24),
      }),
  },
  'PATCH /v1/access-grants/{id}': {
    action: 'access_grant.changed',
    run: () => change(`/v1/access-grants/${ids.grant}`, { ends_at: inHours(12) }),
  },
  'DELETE /v1/access-grants/{id}': {
    action: 'access_grant.taken_back',
    run: () => remove('grant', '/v1/access-grants'),
  },
  'POST /v1/workload-identities': {
    action: 'workload_identity.created',
    run: () =>
      make('workload', '/v1/workload-identities', {
        ...{ name: 'ci', issuer: 'https://ci.example.com', audience: 'ebb' },
        ...{ claims: { sub: 'repo:acme/shop' }, scopes: ['builds:write'] },
      }),
  },
  'PATCH /v1/workload-identities/{id}': {
    action: 'workload_identity.changed',
    run: () => change(`/v1/workload-identities/${ids.workload}`, { audience: 'other' }),
  },
  'DELETE /v1/workload-identities/{id}': {
    action: 'workload_identity.deleted',
    run: () => remove('workload', '/v1/workload-identities'),
  },
  'POST /v1/api-keys': {
    action: 'api_key.created',
    run: () => make('apiKey', '/v1/api-keys', { name: 'laptop', scopes: ['builds:read'] }),
  },
  'DELETE /v1/api-keys/{id}': { action: 'api_key.revoked', run: () => remove('apiKey', '/v1/api-keys') },
  'DELETE /v1/secrets/{id}': { action: 'secret.deleted', run: () => remove('secret', '/v1/secrets') },
  'DELETE /v1/hook-bindings/{id}': {
    action: 'hook_binding.deleted',
    run: () => remove('hook', '/v1/hook-bindings'),
  },
  'DELETE /v1/deploy-keys/{id}': {
    action: 'deploy_key.deleted',
    run: () => remove('key', '/v1/deploy-keys'),
  },
  'POST /v1/access-grants/{id}/projects/{project}/source-runs': used,
  'POST /v1/builds/{id}/custody-events': opened,
  'PUT /v1/wrapped-keys/{id}': rotated,
  'POST /v1/key-rotations/{id}/result': rotated,
  'POST /v1/key-rotations/{id}/failure': rotated,
  'DELETE /v1/projects/{id}': revoked,
  'POST /v1/projects/{id}/revoke': {
    action: 'revocation.requested',
    run: async () => {
      const gone = { connection_id: ids.connection, name: 'gone', repository: 'shop' };
      return await revoke(`/v1/projects/${await make('gone', '/v1/projects', gone)}/revoke`);
    },
  },
  'POST /v1/connections/{id}/revoke': {
    action: 'revocation.requested',
    run: async () => {
      const id = await make('other', '/v1/connections', { name: 'other', kind: 'local' });
      return await revoke(`/v1/connections/${id}/revoke`);
    },
  },
  'PUT /v1/team/pause': {
    action: 'team.paused',
    run: async () => {
      const answer = await given.admin.call('PUT', '/v1/team/pause', { reason: 'A move' });
      assert.equal(answer.status, 200, answer.text);
      return await teamId();
    },
  },
  'DELETE /v1/team/pause': {
    action: 'team.resumed',
    run: async () => {
      assert.equal((await given.admin.call('DELETE', '/v1/team/pause')).status, 200);
      return await teamId();
    },
  },
  'PATCH /v1/operator/teams/{id}': {
    ...{ action: 'team.share_changed', by: 'operator' },
    run: async () => {
      await asOperator('/v1/operator/teams/acme', { weight: 2 });
      return await teamId();
    },
  },
  'PATCH /v1/operator/fleet': {
    ...{ action: 'fleet.changed', by: 'operator', ofOperators: true },
    run: async () => {
      await asOperator('/v1/operator/fleet', { limit: 100 });
      return 'fleet';
    },
  },
  'POST /v1/team/invitations': {
    action: 'invitation.created',
    run: () => make('invitation', '/v1/team/invitations', { email: 'grace@example.com', role: 'viewer' }),
  },
  'DELETE /v1/team/invitations/{id}': {
    action: 'invitation.revoked',
    run: () => remove('invitation', '/v1/team/invitations'),
  },
  'PATCH /v1/team': {
    action: 'team.changed',
    run: () => change('/v1/team', { limit_by_team: 50 }),
  },
  'DELETE /v1/team': 'it revokes the team as POST /v1/team/revoke does, whose entry is shown below',
  'POST /v1/team/members': {
    action: 'invitation.created',
    run: async () =>
      (await make('invited', '/v1/team/members', { email: 'alan@example.com', role: 'viewer' })).replace(
        'mem_',
        'inv_',
      ),
  },
  'POST /v1/teams': byPerson,
  'POST /v1/invitations/accept': byPerson,
  'PATCH /v1/team/members/{id}': byPerson,
  'DELETE /v1/team/members/{id}': byPerson,
  'DELETE /v1/person': byPerson,
  'POST /v1/sign-in': ofPerson,
  'POST /v1/session': ofPerson,
  'DELETE /v1/session': ofPerson,
  'DELETE /v1/sessions/{id}': ofPerson,
  'POST /v1/person/github': 'it only begins: the account is connected, with an entry, when GitHub leads back',
  'DELETE /v1/person/github':
    'a person does it, by a session, with an entry: api/people/github/connecting.test.ts',
  'POST /v1/person/email-change': ofPerson,
  'POST /v1/person/email-confirmation': byPerson,
  'POST /v1/team/revoke': ofTeam,
  'POST /v1/builds/{id}/heartbeat': 'it renews the lease of a runner, as Redis does at other times',
  'POST /v1/builds/{id}/milestones': reported,
  'POST /v1/builds/{id}/waiting': reported,
  'POST /v1/vm-checks': 'it tells a runner which of its VMs are over, and changes nothing',
  'POST /v1/builds/{id}/phase': reported,
  'POST /v1/builds/{id}/finish': reported,
  'POST /v1/builds/{id}/log': reported,
};

test('every route that changes something is known here', async () => {
  const { paths } = (await given.app.inject('/v1/openapi.json')).json();
  const changing = Object.entries(paths as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods)
      .filter((method) => method !== 'get')
      .map((method) => `${method.toUpperCase()} ${path}`),
  );
  assert.deepEqual(changing.sort(), Object.keys(cases).sort());
});

for (const [route, of] of Object.entries(cases)) {
  if (typeof of === 'string') continue;
  test(`${route} leaves an entry, ${of.action}, that says who did it`, async () => {
    const subject = await of.run();
    const team = of.ofOperators ? 'ebb-operators' : 'acme';
    const entries = (await trail(team)).filter((entry) => entry.action === of.action);
    const entry = entries.findLast((candidate) => candidate.subject === subject);
    assert.ok(entry, `no entry of ${subject}`);
    const { by = 'admin' } = of;
    const actor = by === 'ebb' || by === 'source host' ? by : await keyIdOf(by);
    assert.equal(entry.actor, actor);
  });
}

test('what was changed is named: attributes, variables and secrets, without their values', async () => {
  const of = async (action: string) => (await trail('acme')).find((entry) => entry.action === action)?.detail;
  assert.deepEqual(await of('connection.changed'), { name: 'spare', changed: ['token'] });
  assert.deepEqual(await of('project.changed'), { changed: ['environment', 'test'], environment: ['PLAIN'] });
  assert.deepEqual(await of('secret.changed'), { name: 'TOKEN', project: ids.project, changed: ['value'] });
  assert.deepEqual((await of('project_key.released'))?.secrets, ['TOKEN']);
});

test('API keys of the first start are recorded for the team of each', async () => {
  for (const team of ['acme', 'ebb-operators'])
    assert.equal(
      (await trail(team)).filter(({ action, actor }) => action === 'api_key.created' && actor === 'ebb')
        .length,
      1,
    );
});

test('what is refused is recorded: a token, a credential; who shows an unknown key is told to the operators', async () => {
  const bad = { name: 'bad', kind: 'github', token: secrets.wrongToken };
  assert.equal((await given.admin.call('POST', '/v1/connections', bad)).status, 422);
  await requestToken(given, { client_secret: given.keys.admin, scope: secrets.scope });
  for (let count = 0; count < 12; count += 1)
    await requestToken(given, { client_secret: secrets.unknownKey });
  const refused = async (team: string) =>
    (await trail(team))
      .filter(({ action }) => action.endsWith('.refused'))
      .map(({ action, subject }) => `${action} ${subject}`);
  const ours = await refused('acme');
  assert.ok(ours.includes('connection.refused bad'));
  assert.ok(ours.includes(`token.refused ${await keyIdOf('admin')}`));
  assert.deepEqual(await refused('ebb-operators'), Array(10).fill('token.refused unknown'));
});

test('no secret is in any line, whatever happened', async () => {
  const { keys, github, context } = given;
  const text = [...(await lines('acme')), ...(await lines('ebb-operators'))].join('');
  const hookSecret = context.custody.hookSecret(ids.hook ?? '');
  const found = [
    ...[...Object.values(secrets), keys.admin, keys.runner, github.token.value],
    ...(['base64', 'hex', 'base64url'] as const).map((form) => hookSecret.toString(form)),
  ].filter((secret) => text.includes(secret) || text.includes(Buffer.from(secret).toString('base64')));
  assert.deepEqual(found, []);
  assert.ok(text.includes('TOKEN') && text.includes('PLAIN'), 'the names are there');
});

test('POST /v1/team/revoke leaves an entry, revocation.requested, that says who did it', async () => {
  const actor = await keyIdOf('admin');
  // The runner of this test reports no end of its build.
  await given.context.database
    .updateTable('build')
    .set({ state: 'cancelled', finished_at: given.context.now() })
    .where('id', '=', ids.build ?? '')
    .execute();
  const subject = await revoke('/v1/team/revoke', { name: 'acme' });
  const requested = (await trail('acme')).find(
    (entry) => entry.action === 'revocation.requested' && entry.subject === subject,
  );
  assert.equal(requested?.actor, actor);
});

async function lines(team: string): Promise<string[]> {
  const { database } = given.context;
  const { id } = await database
    .selectFrom('team')
    .select('id')
    .where('name', '=', team)
    .executeTakeFirstOrThrow();
  const parts: string[] = [];
  for await (const part of exportLines(database, id)) parts.push(part);
  return parts;
}

async function trail(team: string): Promise<AuditEntry[]> {
  const all = (await lines(team)).join('').split('\n').slice(0, -2);
  return all.map((line) => JSON.parse(line));
}
