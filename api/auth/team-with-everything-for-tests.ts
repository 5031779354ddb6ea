import { scopesOfRole } from '../../contract/role.ts';
import { type operatorScopes, type Scope, teamScopes } from '../../contract/token.ts';
import { browserOf } from '../people/browser-for-tests.ts';
import {
  addOperator,
  addTeam,
  type Client,
  created,
  declareBuildableProject,
  signIn,
} from '../test-client.ts';
import type { TestContext } from '../test-context.ts';
import { createApiKey } from './api-key.ts';

/** A team that has one of each thing; gives its things by kind, and who may ask for them or not. */
export async function openTeam(test: TestContext) {
  const browser = await browserOf(test, 'ada@example.com');
  const made = await browser.call('POST', '/v1/teams', { name: 'crew' });
  if (made.status !== 201) throw new Error(made.text);
  const { id: teamId } = await test.context.database
    .selectFrom('team')
    .select('id')
    .where('name', '=', 'crew')
    .executeTakeFirstOrThrow();
  const keyOf = async (scopes: readonly Scope[], narrow: Record<string, string> = {}) => {
    const key = { teamId, name: 'key', scopes: [...scopes], now: test.context.now() };
    return await signIn(test, await createApiKey(test.context.database, key), narrow);
  };
  const owner = await keyOf(teamScopes);
  const revoked = await declareBuildableProject(test, owner);
  const ended = await owner.call('POST', `/v1/projects/${revoked.id}/revoke`, {});
  if (ended.status !== 200) throw new Error(ended.text);
  const invited = { email: 'grace@example.com', role: 'viewer' };
  const invitation = (await created(owner, '/v1/team/invitations', invited)).id;
  const other = await declareBuildableProject(test, owner);
  return {
    things: {
      ...{ ...(await makeThings(test, owner)), invitation, team: teamId },
      member: made.body.member_id as string,
      revocation: ended.body.id as string,
      receipt: ended.body.receipt_id as string,
    },
    keyOf,
    owner,
    callers: {
      viewer: await keyOf(scopesOfRole.viewer),
      maintainer: await keyOf(scopesOfRole.maintainer),
      owner,
      'another project': await keyOf(teamScopes, { project_id: other.id }),
      'another team': await signIn(test, await addTeam(test, 'strangers')),
      runner: await operatorWith(test, 'runner'),
      operator: await operatorWith(test, 'operator'),
      core_crew: await operatorWith(test, 'core_crew'),
      'runner of another build': await runnerOf(test, owner, other.id),
    } satisfies Record<string, Pick<Client, 'token'>>,
  };
}

async function operatorWith(test: TestContext, scope: (typeof operatorScopes)[number]) {
  return await signIn(test, await addOperator(test, [scope]));
}

async function runnerOf(test: TestContext, owner: Client, projectId: string): Promise<{ token: string }> {
  const { id } = await created(owner, '/v1/builds', { project_id: projectId });
  const runner = await signIn(test, test.keys.runner);
  const claimed = await runner.call('POST', `/v1/builds/${id}/claim`, { lease_holder: 'runner-1' });
  if (claimed.status !== 200) throw new Error(claimed.text);
  return { token: claimed.body.token };
}

/** One of each thing that belongs to a project. */
export async function makeThings(test: TestContext, owner: Client) {
  const project = await declareBuildableProject(test, owner);
  const of = { project_id: project.id };
  const make = async (path: string, body: object) => (await created(owner, path, body)).id;
  const rotation = await owner.call('POST', `/v1/projects/${project.id}/key-rotations`);
  const keys = await owner.call('GET', `/v1/deploy-keys?project_id=${project.id}`);
  const trust = { issuer: 'https://ci.example.com', audience: 'ebb', claims: { sub: 'shop' } };
  const grant = {
    ...{ reason: 'A look', scope: ['logs', 'source', 'environment'], notify: ['ada@example.com'] },
    ends_at: `${new Date(Date.now() + 3_600_000).toISOString().slice(0, 19)}Z`,
  };
  return {
    project: project.id,
    projectName: project.name,
    connection: project.connectionId,
    deployKey: keys.body.items[0].id as string,
    hook: await make('/v1/hook-bindings', of),
    secret: await make('/v1/secrets', { ...of, name: 'TOKEN', value: 'hush' }),
    build: await make('/v1/builds', of),
    grant: await make('/v1/access-grants', { ...of, ...grant }),
    apiKey: await make('/v1/api-keys', { ...of, name: 'laptop', scopes: ['builds:read'] }),
    workload: await make('/v1/workload-identities', {
      ...{ ...of, ...trust, name: `ci-${project.name}`, scopes: ['builds:read'] },
    }),
    rotation: rotation.body.id as string,
  };
}

export type Things = Awaited<ReturnType<typeof openTeam>>['things'];
