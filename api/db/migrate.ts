import { setTimeout as sleep } from 'node:timers/promises';
import { type Kysely, sql } from 'kysely';
import { statements as first } from './migrations/0001-first.ts';
import { statements as sourceHosts } from './migrations/0002-source-hosts.ts';
import { statements as leaseHolders } from './migrations/0003-lease-holders.ts';
import { statements as hostsOfOthers } from './migrations/0004-hosts-of-others.ts';
import { statements as auditChain } from './migrations/0005-audit-chain.ts';
import { statements as accessGrants } from './migrations/0006-access-grants.ts';
import { statements as provenance } from './migrations/0007-provenance.ts';
import { statements as revocations } from './migrations/0008-revocations.ts';
import { statements as keyRotation } from './migrations/0009-key-rotation.ts';
import { statements as custodyEvents } from './migrations/0010-custody-events.ts';
import { statements as repositoryIds } from './migrations/0011-repository-ids.ts';
import { statements as orderOfEvents } from './migrations/0012-order-of-events.ts';
import { statements as retiredHooks } from './migrations/0013-retired-hooks.ts';
import { statements as additions } from './migrations/0014-additions.ts';
import { statements as endsOfVms } from './migrations/0015-ends-of-vms.ts';
import { statements as keyReleases } from './migrations/0016-key-releases.ts';
import { statements as endsOfTokens } from './migrations/0017-ends-of-tokens.ts';
import { statements as deployKeysOfTeams } from './migrations/0018-deploy-keys-of-teams.ts';
import { statements as handover } from './migrations/0019-handover.ts';
import { statements as shares } from './migrations/0020-shares.ts';
import { statements as sweepByPage } from './migrations/0021-sweep-by-page.ts';
import { statements as workloadIdentities } from './migrations/0022-workload-identities.ts';
import { statements as people } from './migrations/0023-people.ts';
import { statements as given } from './migrations/0024-what-builds-were-given.ts';
import { statements as githubSignIn } from './migrations/0025-github-sign-in.ts';
import { statements as teamsInTerraform } from './migrations/0026-teams-in-terraform.ts';
import { statements as tokenKeys } from './migrations/0027-token-keys.ts';
import { statements as fences } from './migrations/0029-fences-of-the-scheduler.ts';
import { statements as idempotencyKeyAge } from './migrations/0030-idempotency-key-age.ts';
import { statements as heldLeases } from './migrations/0031-held-leases.ts';
import type { Schema } from './schema.ts';

/** In the order in which they are applied. */
export const migrations = [
  { name: '0001-first', statements: first },
  { name: '0002-source-hosts', statements: sourceHosts },
  { name: '0003-lease-holders', statements: leaseHolders },
  { name: '0004-hosts-of-others', statements: hostsOfOthers },
  { name: '0005-audit-chain', statements: auditChain },
  { name: '0006-access-grants', statements: accessGrants },
  { name: '0007-provenance', statements: provenance },
  { name: '0008-revocations', statements: revocations },
  { name: '0009-key-rotation', statements: keyRotation },
  { name: '0010-custody-events', statements: custodyEvents },
  { name: '0011-repository-ids', statements: repositoryIds },
  { name: '0012-order-of-events', statements: orderOfEvents },
  { name: '0013-retired-hooks', statements: retiredHooks },
  { name: '0014-additions', statements: additions },
  { name: '0015-ends-of-vms', statements: endsOfVms },
  { name: '0016-key-releases', statements: keyReleases },
  { name: '0017-ends-of-tokens', statements: endsOfTokens },
  { name: '0018-deploy-keys-of-teams', statements: deployKeysOfTeams },
  { name: '0019-handover', statements: handover },
  { name: '0020-shares', statements: shares },
  { name: '0021-sweep-by-page', statements: sweepByPage },
  { name: '0022-workload-identities', statements: workloadIdentities },
  { name: '0023-people', statements: people },
  { name: '0024-what-builds-were-given', statements: given },
  { name: '0025-github-sign-in', statements: githubSignIn },
  { name: '0026-teams-in-terraform', statements: teamsInTerraform },
  { name: '0027-token-keys', statements: tokenKeys },
  { name: '0029-fences-of-the-scheduler', statements: fences },
  { name: '0030-idempotency-key-age', statements: idempotencyKeyAge },
  { name: '0031-held-leases', statements: heldLeases },
];

// Any number that nobody else locks; two API processes that start at once must not migrate side by side.
const migrationLock = 3_202_611;
/** @see https://www.postgresql.org/docs/current/errcodes-appendix.html */
const lockNotAvailable = '55P03';
const mostTries = 60;

/** The database was not brought up to what this program needs. */
export class SchemaError extends Error {
  override name = 'SchemaError';
  readonly code = 'schema_outdated';
}

/**
 * Applies the migrations that are missing, each in a transaction of its own, and gives their names. Safe when several processes
 * do it at once: all but one wait and find nothing to do. One that fails leaves those before it applied.
 *
 * A migration waits for a lock for `lockMs` and is tried again after `pauseMs` (60 times at most): whoever asks for the same
 * table meanwhile would wait behind it.
 */
export async function migrate(
  database: Kysely<Schema>,
  { lockMs = 2_000, pauseMs = 2_000 } = {},
): Promise<string[]> {
  const applied: string[] = [];
  for (let tries = 1; ; ) {
    try {
      const name = await applyNext(database, lockMs);
      if (name === undefined) return applied;
      applied.push(name);
      tries = 1;
    } catch (error) {
      if ((error as { code?: string }).code !== lockNotAvailable || tries === mostTries) throw error;
      tries += 1;
      await sleep(pauseMs);
    }
  }
}

/** Gives its name; undefined when none is missing. */
async function applyNext(database: Kysely<Schema>, lockMs: number): Promise<string | undefined> {
  return await database.transaction().execute(async (transaction) => {
    // A big table takes longer than any request may.
    await sql`set local statement_timeout = '10min'`.execute(transaction);
    await sql`select pg_advisory_xact_lock(${sql.lit(migrationLock)})`.execute(transaction);
    await sql`create table if not exists migration (name text primary key, applied_at timestamptz not null default now())`.execute(
      transaction,
    );
    const [next] = await missingMigrations(transaction);
    if (!next) return undefined;
    await sql`set local lock_timeout = ${sql.lit(lockMs)}`.execute(transaction);
    for (const statement of next.statements) await sql.raw(statement).execute(transaction);
    await sql`insert into migration (name) values (${next.name})`.execute(transaction);
    return next.name;
  });
}

/**
 * Throws SchemaError when a migration is missing. One that this program does not know is none of its business: it is
 * there while an older release still runs.
 */
export async function requireMigrated(database: Kysely<Schema>): Promise<void> {
  const missing = await missingMigrations(database);
  if (missing.length === 0) return;
  const names = missing.map(({ name }) => name).join(', ');
  throw new SchemaError(
    `The database's schema is older than this program needs; missing: ${names}. Run \`ebb migrate\`, or let the API do it with EBB_MIGRATE=true.`,
  );
}

async function missingMigrations(database: Kysely<Schema>) {
  const { rows: tables } = await sql<{ present: boolean }>`
    select to_regclass('migration') is not null as present
  `.execute(database);
  if (!tables[0]?.present) return migrations;
  const applied = await sql<{ name: string }>`select name from migration`.execute(database);
  const names = new Set(applied.rows.map((row) => row.name));
  return migrations.filter(({ name }) => !names.has(name));
}
