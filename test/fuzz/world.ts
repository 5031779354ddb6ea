import { sql } from 'kysely';
import { buildApp } from '../../api/app.ts';
import { rules } from '../../api/auth/authorization.ts';
import { bodies, kinds, requestOf } from '../../api/auth/requests-for-tests.ts';
import type { Route, Rule } from '../../api/auth/rule.ts';
import { makeThings, openTeam, type Things } from '../../api/auth/team-with-everything-for-tests.ts';
import { browserOf } from '../../api/people/browser-for-tests.ts';
import { webhookHeaders } from '../../api/source-hosts/local/webhook.ts';
import { addTeam, type Client, created, declareBuildableProject, signIn } from '../../api/test-client.ts';
import type { TestContext } from '../../api/test-context.ts';
import type { Choices } from './choices.ts';
import type { Draft } from './mutate.ts';
import type { FuzzRequest } from './request.ts';
import type { Schema } from './sample.ts';

/** What nobody may see in an answer: planted in the other team's things. */
export const planted = { secret: 'canary-9f31c2-secret', variable: 'canary-5b77e0-variable' };

const unlimited = { perKey: 1e9, refusalsPerAddress: 1e9 };

export interface Operation {
  parameters?: { in?: string; name?: string }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
}

/**
 * An API that listens, a team that has one of each thing and asks as everybody who may, and another team whose things
 * nobody may touch. As behind a router, so that each request can come from a place of its own.
 */
export async function openWorld(given: TestContext) {
  // What it logs is kept by the test's context, and would look like a leak of memory.
  given.context.log.level = 'error';
  const app = await buildApp(given.context, { behindRouter: true, rateLimits: unlimited });
  const origin = await app.listen({ port: 0, host: '127.0.0.1' });
  const team = await openTeam(given);
  const person = await browserOf(given, 'ada@example.com');
  const runner = await signIn(given, given.keys.runner);
  const victim = await openVictim(given);
  const document = app.swagger() as unknown as { paths: Record<string, Record<string, Operation>> };
  let things: Things = team.things;
  let buildToken = await claim(runner, things.build);

  const tokenFor = (rule: Rule): string | undefined => {
    if (rule.who === 'team') return team.owner.token;
    if (rule.who === 'operators') return team.callers[rule.scope].token;
    if (rule.who === 'runner of the build') return buildToken;
    return rule.who === 'core crew with a grant' ? team.callers.core_crew.token : undefined;
  };

  /** A request of the route that is in order, as somebody who may ask, or now and then as somebody else. */
  const draft = (route: Route, rule: Rule, choices: Choices): Draft => {
    const { oneOf, chance } = choices;
    // What ends things is asked for things that there are seldom: everything else needs them.
    const isEnd = route.startsWith('DELETE') || /\/(revoke|finish|cancel)$/.test(route);
    const about = isEnd && chance(0.95) ? { ...things, ...victim.things } : things;
    const { method, url, payload } = requestOf(route, about);
    const [path = '', query = ''] = url.split('?');
    const described = route.split(' ')[1]?.replace(/:(\w+)/g, '{$1}') ?? '';
    const operation = document.paths[described]?.[method.toLowerCase()];
    const [mediaType, content] = Object.entries(operation?.requestBody?.content ?? {})[0] ?? [];
    const body = payload ?? extra[route]?.(given, buildToken);
    const stranger = oneOf([...Object.values(team.callers).map(({ token }) => token), undefined, 'a.b.c']);
    const token = chance(0.9) ? tokenFor(rule) : stranger;
    // Who signs out is nobody for all requests that come after.
    const session = route === 'DELETE /v1/session' ? [['ebb_session', 'A'.repeat(43)]] : [...person.cookies];
    const cookie = session.map(([name, value]) => `${name}=${value}`).join('; ');
    const isPerson = rule.who === 'person' || (rule.who === 'team' && chance(0.1));
    const made: Draft = {
      ...{ route, method, path, body, schema: content?.schema },
      ids: Object.values(about).filter((id) => path.includes(id)),
      query: [...new URLSearchParams(query)],
      headers: {
        'x-forwarded-proto': 'https',
        'x-forwarded-for': `10.${choices.below(250)}.${choices.below(250)}.${choices.below(250)}`,
        ...(isPerson
          ? { cookie, origin: given.context.publicUrl, 'ebb-team': 'crew' }
          : token && { authorization: `Bearer ${token}` }),
      },
      form: mediaType === 'application/x-www-form-urlencoded' ? 'form' : 'json',
      parameters: (operation?.parameters ?? []).flatMap(({ in: place, name }) =>
        place === 'query' && name ? [name] : [],
      ),
    };
    if (route === 'POST /v1/builds/:id/log') return { ...made, form: 'bytes', body: Buffer.from('a line\n') };
    return route === 'POST /v1/hooks/:id' ? asDelivery(given, made, things) : made;
  };

  return {
    ...{ origin, document, draft, victim },
    /** Ids and names of all things, the other team's too. */
    ids: () => [...Object.values(things), ...Object.values(victim.things)],
    /** Makes the thing anew that a request of this route has ended, and all others where they were of it. */
    async renew(route: Route) {
      things = (await madeAnew(team.owner, route, things)) ?? {
        ...things,
        ...(await makeThings(given, team.owner)),
      };
      // What is not to be built any more is made anew with all others.
      buildToken = await claim(runner, things.build).catch(async () => {
        things = { ...things, ...(await makeThings(given, team.owner)) };
        return await claim(runner, things.build);
      });
    },
    /** Has the team protected again after a request that may have changed that: all others need it. */
    async keepTeam({ method, url }: FuzzRequest) {
      if (method === 'PATCH' && url.startsWith('/v1/team'))
        await given.context.database
          .updateTable('team')
          .set({ deletion_protection: true })
          .where('name', '=', 'crew')
          .execute();
    },
    async close() {
      await app.close();
    },
  };
}

export type World = Awaited<ReturnType<typeof openWorld>>;

/** All routes that the description shows, with who may call them. */
export const routes = rules.filter(([route]) => !/ \/(docs|v1\/openapi)/.test(route));

const extra: Partial<Record<Route, (given: TestContext, token: string) => object>> = {
  'POST /v1/token': ({ keys }) => ({ grant_type: 'client_credentials', client_secret: keys.admin }),
  'POST /v1/token/renew': (_given, token) => ({ token }),
  // Not a good one, which would be over then.
  'POST /v1/token/revoke': () => ({ token: 'a.b.c' }),
  'POST /v1/sign-in': () => ({ email: 'eve@example.com' }),
  'POST /v1/session': () => ({ token: 'A'.repeat(43) }),
  'POST /v1/projects/:id/revoke': () => ({ removed_by_hand: true }),
  'POST /v1/connections/:id/revoke': () => ({ removed_by_hand: true }),
};

/** A push that is signed when all changes to it are made: what is behind the signature is to be met. */
function asDelivery(given: TestContext, draft: Draft, { hook, projectName }: Things): Draft {
  const delivery = crypto.randomUUID();
  const commit = 'a'.repeat(40);
  const body = {
    ...{ event: 'push', delivery, repository: projectName, ref: 'refs/heads/main', before: '0'.repeat(40) },
    ...{
      after: commit,
      deleted: false,
      head_commit: { id: commit, message: 'A commit', author: { name: 'Ada' } },
    },
  };
  const sign = (bytes: Buffer) => {
    const secret = given.context.custody.hookSecret(hook);
    return webhookHeaders(delivery, bytes, secret);
  };
  return { ...draft, body, sign };
}

let count = 0;

/** Things with a new one of the kind that a route names; undefined where that is not enough. */
async function madeAnew(owner: Client, route: Route, things: Things): Promise<Things | undefined> {
  const [, collection = ''] = /^\w+ (\/v1\/[a-z-]+)\/:id/.exec(route) ?? [];
  const kind = kinds.find(([path]) => path === `${collection}/`)?.[1];
  const body = bodies[`POST ${collection}` as Route]?.(things);
  if (!kind || !body || kind === 'project' || kind === 'connection') return undefined;
  const name = kind === 'secret' ? `ANEW_${++count}` : `anew-${++count}`;
  const { status, body: made } = await owner.call('POST', collection, {
    ...body,
    ...('name' in body && { name }),
  });
  return status === 201 ? { ...things, [kind]: made.id } : undefined;
}

async function claim(runner: Client, build: string): Promise<string> {
  const answer = await runner.call('POST', `/v1/builds/${build}/claim`, { lease_holder: 'runner-1' });
  if (answer.status !== 200) throw new Error(answer.text);
  return answer.body.token;
}

/** The other team: its ids are known to who attacks, and nothing else. */
async function openVictim(given: TestContext) {
  const owner = await signIn(given, await addTeam(given, 'victims'));
  const environment = { GREETING: planted.variable };
  const project = await declareBuildableProject(given, owner, { environment });
  const of = { project_id: project.id };
  const make = async (path: string, body: object) => (await created(owner, path, body)).id;
  const trust = { issuer: 'https://ci.example.com', audience: 'ebb', claims: { sub: 'shop' } };
  const things = {
    ...{ project: project.id, connection: project.connectionId, projectName: project.name },
    hook: await make('/v1/hook-bindings', of),
    secret: await make('/v1/secrets', { ...of, name: 'TOKEN', value: planted.secret }),
    apiKey: await make('/v1/api-keys', { ...of, name: 'laptop', scopes: ['builds:read'] }),
    workload: await make('/v1/workload-identities', { ...of, ...trust, name: 'ci', scopes: ['builds:read'] }),
  };
  const { teamId } = await given.context.database
    .selectFrom('project')
    .select('team_id as teamId')
    .where('id', '=', project.id)
    .executeTakeFirstOrThrow();
  /** Every row of the team, or of its project; of the audit only that it is there, since refusals are told to whom they concern. */
  const rows = async () => {
    const { database } = given.context;
    const columns = await sql<{ table_name: string; column_name: string }>`
      select table_name, column_name from information_schema.columns
      where table_schema = current_schema() and column_name in ('team_id', 'project_id')
      and table_name not like 'audit%' order by 1, 2`.execute(database);
    const found: Record<string, unknown> = {};
    for (const { table_name: table, column_name: column } of columns.rows) {
      const id = column === 'team_id' ? teamId : project.id;
      const { rows: these } = await sql`
        select to_jsonb(t) as row from ${sql.table(table)} t where ${sql.ref(column)} = ${id} order by to_jsonb(t)::text
      `.execute(database);
      found[`${table} by ${column}`] = these;
    }
    return found;
  };
  return { things, teamId, rows };
}
