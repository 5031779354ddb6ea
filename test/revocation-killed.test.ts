import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { createApiKey } from '../api/auth/api-key.ts';
import { connectDatabase, type Database } from '../api/db/database.ts';
import { newId } from '../api/db/new-id.ts';
import { commit } from '../api/test-client.ts';
import { type Client, createClient } from '../cli/client.ts';
import { createRepository } from '../cli/dev/repository.ts';
import { verifyReceipt } from '../cli/verify/verify-receipt.ts';
import type { Receipt } from '../contract/receipt.ts';
import type { RevocationPredicate } from '../contract/receipt-statement.ts';
import type { Revocation } from '../contract/revocation.ts';
import { scopes } from '../contract/token.ts';
import { startRedis } from '../queue/test-redis.ts';
import { type ApiForTests, startApi } from './api-for-tests.ts';
import { startPostgres } from './postgres.ts';

// Below the number of connections that the API keeps, so that every one of them comes to its moment.
const atOnce = 7;
const signal = AbortSignal.timeout(600_000);

let root: string;
let api: ApiForTests;
let database: Database;
/** Holds the lock that every revocation runs into at its moment. */
let holder: pg.Client;
const opened: (() => Promise<unknown>)[] = [];

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'ebb-killed-'));
  opened.push(() => rm(root, { recursive: true, force: true }));
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  opened.push(postgres.close, redis.close);
  api = await startApi({ folder: join(root, 'api'), databaseUrl: postgres.url, redisUrl: redis.url, signal });
  opened.push(() => api.stop());
  database = await connectDatabase({ url: postgres.url });
  opened.push(() => database.destroy());
  holder = new pg.Client({ connectionString: postgres.url });
  await holder.connect();
  opened.push(() => holder.end());
  await holder.query(moments);
});
after(async () => {
  while (opened.length > 0) await opened.pop()?.();
});

/** Before the n-th row that a revocation of a team's things writes, its transaction waits for a lock that nobody lets go. */
const moments = `
  create table moment (team_id text primary key, written int not null default 0, stop_at int not null);
  create function come_to_moment() returns trigger language plpgsql as $$
  declare
    fields jsonb := to_jsonb(coalesce(new, old));
    team text := coalesce(
      fields->>'team_id',
      (select team_id from project where id = fields->>'project_id'),
      fields->>'id'
    );
    is_now boolean;
  begin
    -- What the API tells source hosts of builds it notes for many teams at once: no moment of a revocation.
    if tg_table_name = 'build' and tg_op = 'UPDATE'
      and fields->'state' = to_jsonb(old)->'state'
      and fields->'cancel_requested' = to_jsonb(old)->'cancel_requested' then return new;
    end if;
    update moment set written = written + 1 where team_id = team returning written = stop_at into is_now;
    if is_now then perform pg_advisory_xact_lock(4711); end if;
    return coalesce(new, old);
  end $$;
  ${[
    'team',
    'api_key',
    'connection',
    'project',
    'build',
    'secret',
    'deploy_key',
    'hook_binding',
    'revocation',
    'receipt',
    'audit_event',
  ]
    .map(
      (table) =>
        `create trigger moment before insert or update or delete on ${table} for each row execute function come_to_moment();`,
    )
    .join('\n')}
`;

type Kind = 'project' | 'team';

interface Project {
  id: string;
  name: string;
  team: string;
  client: Client;
  moment: number;
  /** What is revoked: the project alone, or its whole team. */
  kind: Kind;
  revoke(): Promise<Revocation>;
}

/** A project in a team of its own with deploy key, hook, secret and a build that waits. */
async function declare(kind: Kind, moment: number): Promise<Project> {
  const name = `shop-${kind}-${moment}`;
  const team = newId('team');
  await database.insertInto('team').values({ id: team, name, created_at: new Date() }).execute();
  const granted = scopes.filter((scope) => scope !== 'runner');
  const apiKey = await createApiKey(database, { teamId: team, name, scopes: granted, now: new Date() });
  const client = createClient({ endpoint: api.url, apiKey });
  await commit(await createRepository(api.repositories, name));
  const connection = await client.post<{ id: string }>('/v1/connections', { name: 'local', kind: 'local' });
  const declared = { connection_id: connection.id, name, repository: name };
  const { id } = await client.post<{ id: string }>('/v1/projects', declared);
  await client.post('/v1/deploy-keys', { project_id: id });
  await client.post('/v1/hook-bindings', { project_id: id });
  await client.post('/v1/secrets', { project_id: id, name: 'TOKEN', value: 'something secret' });
  await client.post('/v1/builds', { project_id: id });
  const revoke = () =>
    kind === 'team'
      ? client.post<Revocation>('/v1/team/revoke', { name })
      : client.post<Revocation>(`/v1/projects/${id}/revoke`);
  return { id, name, team, client, moment, kind, revoke };
}

/** Starts the revocations, and resolves when each came to its moment or to its end; gives how many ended. */
async function revokeUntilTheirMoments(projects: Project[]): Promise<number> {
  await holder.query('select pg_advisory_lock(4711)');
  for (const { team, moment } of projects)
    await holder.query('insert into moment (team_id, stop_at) values ($1, $2)', [team, moment]);
  let ended = 0;
  for (const { revoke } of projects) {
    revoke().then(
      // 202 while it waits at its moment.
      ({ state }) => (ended += state === 'finished' ? 1 : 0),
      // The answer of a process that was killed.
      () => undefined,
    );
  }
  while ((await waiting()).length + ended < projects.length) {
    signal.throwIfAborted();
    await sleep(20);
  }
  return ended;
}

async function waiting(): Promise<number[]> {
  const { rows } = await holder.query(
    "select pid from pg_locks where locktype = 'advisory' and not granted and objid = 4711",
  );
  return rows.map(({ pid }) => pid);
}

/** What the dead process had not committed is gone with it; a new one finds what is open by itself. */
async function killAndRestart(): Promise<void> {
  await api.killAndRestart(async () => {
    for (const pid of await waiting()) await holder.query('select pg_terminate_backend($1)', [pid]);
    await holder.query('delete from moment');
    await holder.query('select pg_advisory_unlock(4711)');
  });
}

async function finished({ client, kind, revoke }: Project): Promise<Revocation> {
  const { items } = await client.get<{ items: Revocation[] }>('/v1/revocations');
  const open = items.find((revocation) => revocation.kind === kind);
  // Killed before anything of it was written down: only the caller knows of it.
  if (!open) return await revoke();
  for (;;) {
    const now = await client.get<Revocation>(`/v1/revocations/${open.id}`);
    if (now.state === 'finished') return now;
    signal.throwIfAborted();
    await sleep(50);
  }
}

const steps = [
  'absence_confirmed',
  'builds_cancelled',
  'claims_and_tokens_stopped',
  'deploy_key_removed',
  'hook_removed',
  'secrets_destroyed',
];

/** The one receipt of a kind, which holds. */
async function receiptOf({ client }: Project, kind: Receipt['kind'], at: string) {
  const { items } = await client.get<{ items: Receipt[] }>('/v1/receipts');
  const [receipt, ...more] = items.filter((item) => item.kind === kind);
  assert.deepEqual(more, [], at);
  const jwks = await client.get('/.well-known/jwks.json');
  const verdict = verifyReceipt({ envelope: receipt?.envelope, jwks });
  assert.ok(verdict.ok, verdict.ok ? at : `${at}: ${verdict.problem}`);
  return { id: receipt?.id, predicate: verdict.statement.predicate };
}

async function assertRevokedOnce(project: Project): Promise<void> {
  const at = `${project.kind}, moment ${project.moment}`;
  const { receipt_id } = await finished(project);
  const receipt = await receiptOf(project, 'revocation', at);
  if (project.kind === 'team') {
    const team = await receiptOf(project, 'team_revocation', at);
    const connection = await receiptOf(project, 'connection_revocation', at);
    assert.equal(team.id, receipt_id, at);
    assert.ok(JSON.stringify(team.predicate).includes(connection.id ?? 'none'), at);
    assert.ok(JSON.stringify(connection.predicate).includes(receipt.id ?? 'none'), at);
  } else {
    assert.equal(receipt.id, receipt_id, at);
    await assertAuditedOnce(project, at);
  }
  const predicate = receipt.predicate as RevocationPredicate;
  assert.deepEqual(predicate.steps.map(({ step }) => step).sort(), steps, at);
  assert.ok(
    predicate.steps.every(({ took_ms, measured_by }) => took_ms !== undefined && measured_by),
    at,
  );
  assert.ok(predicate.deploy_key_fingerprint && predicate.hook_id, at);
  assert.deepEqual(
    predicate.builds_ended.map(({ state }) => state),
    ['cancelled'],
    at,
  );
  for (const table of ['deploy_key', 'hook_binding', 'secret'] as const) {
    const left = await database.selectFrom(table).select('id').where('project_id', '=', project.id).execute();
    assert.deepEqual(left, [], at);
  }
  const row = await database
    .selectFrom('project')
    .select(['wrapped_private_key', 'revoked_at'])
    .where('id', '=', project.id)
    .executeTakeFirstOrThrow();
  assert.equal(row.wrapped_private_key, null, at);
  assert.ok(row.revoked_at, at);
  const path = join(api.repositories, `${project.name}.git`, 'ebb', 'state.json');
  const atHost = JSON.parse(await readFile(path, 'utf8'));
  assert.deepEqual([atHost.deployKeys, atHost.hooks], [[], []], at);
}

async function assertAuditedOnce({ client, id }: Project, at: string): Promise<void> {
  const path = `/v1/audit-events?limit=100&subject=${id}`;
  const { items } = await client.get<{ items: { action: string }[] }>(path);
  const actions = items.map(({ action }) => action).filter((action) => action.startsWith('revocation.'));
  const expected = ['finished', 'requested', ...steps.slice(1).map(() => 'step_finished')];
  assert.deepEqual(
    actions.sort(),
    expected.map((action) => `revocation.${action}`),
    at,
  );
}

/** Kills at moments that are `stride` apart, until a revocation ends before its own comes; gives how many there were. */
async function killAtMoments(kind: Kind, stride: number): Promise<number> {
  for (let killed = 0; ; ) {
    const next = (index: number) => declare(kind, 1 + (killed + index) * stride);
    const projects = await Promise.all(Array.from({ length: atOnce }, (_, index) => next(index)));
    const ended = await revokeUntilTheirMoments(projects);
    await killAndRestart();
    for (const project of projects) await assertRevokedOnce(project);
    killed += atOnce - ended;
    if (ended > 0) return killed;
  }
}

test('the API killed before any row that a revocation writes goes on by itself, to one complete receipt', async () => {
  // One row at the least for each step, its audit, and what it changes.
  const killed = await killAtMoments('project', 1);
  assert.ok(killed > 20, `only ${killed} moments`);
});

test('so it does when a whole team is revoked, with one receipt for the team, its connection and its project', async () => {
  const stride = Number(process.env.EBB_MOMENT_STRIDE ?? 5);
  const killed = await killAtMoments('team', stride);
  assert.ok(killed * stride > 45, `only ${killed} moments`);
});
