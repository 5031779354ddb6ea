import { sql } from 'kysely';
import type { RevocationStep } from '../../contract/receipt.ts';
import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import { type Database, json } from '../db/database.ts';
import { newId } from '../db/new-id.ts';
import { auditOf, type Stopwatch, startStopwatch } from './attempt.ts';
import { type RevocationRow, readRevocation } from './revocation-store.ts';

/** What is to be revoked, for whom, and whether he states that key and hook are gone already. */
export interface Asked {
  kind: RevocationRow['kind'];
  subject: string;
  /** The API key that asks. */
  by: string;
  removedByHand?: boolean | undefined;
}

type Opened = Pick<RevocationRow, 'id'> & { isNew: boolean };

interface Opening {
  transaction: Database;
  asked: Asked;
  at: Date;
  stopwatch: Stopwatch;
}

const stopped = {
  project: 'No build is accepted or claimed any more; the hook and the tokens of the project are refused.',
  connection: 'Its projects are stopped: no build is accepted or claimed, hooks and tokens are refused.',
  team: 'Its API keys and tokens are refused, but for one that reads this revocation. Its projects are stopped.',
};

/**
 * Marks what is to be revoked and all that belongs to it, which stops claims, hooks and tokens at once, and opens the
 * revocations with that first step. What is open or finished stays as it is. Undefined when there is no such thing.
 *
 * Locks a revocation before what it revokes, as each of its steps does, so that the two never wait for each other.
 */
export async function openRevocation(context: ApiContext, asked: Asked): Promise<RevocationRow | undefined> {
  const stopwatch = startStopwatch(context);
  return await context.database.transaction().execute(async (transaction) => {
    const opening = { transaction, asked, at: context.now(), stopwatch };
    const opened = await open[asked.kind](opening, asked.subject, null);
    if (!opened) return undefined;
    if (asked.removedByHand) await state(opening, opened.id);
    const row = await readRevocation(transaction, opened.id);
    if (opened.isNew) {
      const name = { name: row.name };
      await recordAudit({ ...context, database: transaction }, auditOf(row, 'requested', name));
    }
    return row;
  });
}

const open = { project: openProject, connection: openConnection, team: openTeam };

async function openProject(opening: Opening, id: string, parentId: string | null) {
  const project = await read(opening, 'project').select('team_id').where('id', '=', id).executeTakeFirst();
  if (!project) return undefined;
  const opened = await insert(opening, { kind: 'project', subject: id, ...project }, parentId);
  if (opened.isNew) await mark(opening, 'project', id);
  return opened;
}

async function openConnection(opening: Opening, id: string, parentId: string | null) {
  const connection = await read(opening, 'connection')
    .select('team_id')
    .where('id', '=', id)
    .executeTakeFirst();
  if (!connection) return undefined;
  const opened = await insert(opening, { kind: 'connection', subject: id, ...connection }, parentId);
  if (!opened.isNew) return opened;
  await mark(opening, 'connection', id);
  const projects = await opening.transaction
    .selectFrom('project')
    .select('id')
    .where('connection_id', '=', id)
    .where('revoked_at', 'is', null)
    .orderBy('id')
    .execute();
  for (const project of projects) await openProject(opening, project.id, opened.id);
  return opened;
}

async function openTeam(opening: Opening, id: string) {
  const { transaction, at, asked } = opening;
  const team = await read(opening, 'team').where('id', '=', id).executeTakeFirst();
  if (!team) return undefined;
  const opened = await insert(opening, { kind: 'team', subject: id, team_id: id, ...team }, null);
  if (!opened.isNew) return opened;
  await mark(opening, 'team', id);
  const keys = transaction.updateTable('api_key').where('team_id', '=', id);
  await keys.set({ reads_only: opened.id }).where('id', '=', asked.by).execute();
  await keys
    .set({ revoked_at: at })
    .where('reads_only', 'is', null)
    .where('revoked_at', 'is', null)
    .execute();
  const connections = await transaction
    .selectFrom('connection')
    .select('id')
    .where('team_id', '=', id)
    .where('deleted_at', 'is', null)
    .orderBy('id')
    .execute();
  for (const connection of connections) await openConnection(opening, connection.id, opened.id);
  return opened;
}

/** Its name; nobody deletes it before the transaction ends, and nobody who changes it waits for that. */
function read<T extends Asked['kind']>({ transaction }: Opening, table: T) {
  return transaction.selectFrom<Asked['kind']>(table).select('name').forKeyShare();
}

async function mark({ transaction, at }: Opening, table: Asked['kind'], id: string): Promise<void> {
  const revoking_at = sql<Date>`coalesce(revoking_at, ${at.toISOString()}::timestamptz)`;
  await transaction.updateTable(table).set({ revoking_at }).where('id', '=', id).execute();
}

type About = Pick<RevocationRow, 'kind' | 'subject' | 'name' | 'team_id'>;

/** Makes the row; one that is open already becomes a part of `parentId`, unless it is a part of something. */
async function insert(opening: Opening, about: About, parentId: string | null): Promise<Opened> {
  const { transaction, at, asked, stopwatch } = opening;
  const made = await transaction
    .insertInto('revocation')
    .values({
      ...about,
      id: newId('rev', at.getTime()),
      parent_id: parentId,
      requested_by: asked.by,
      steps: json([firstStep(about.kind, at, stopwatch)]),
      started_at: at,
      next_try_at: at,
      ...{ under_way: null, obstacle: null, stated: null, finished_at: null, receipt_id: null },
    })
    .onConflict((on) => on.column('subject').doNothing())
    .returning('id')
    .executeTakeFirst();
  if (made) return { ...made, isNew: true };
  const { id } = await transaction
    .updateTable('revocation')
    .set({ parent_id: sql`coalesce(parent_id, ${parentId})` })
    .where('subject', '=', about.subject)
    .returning('id')
    .executeTakeFirstOrThrow();
  return { id, isNew: false };
}

function firstStep(kind: RevocationRow['kind'], at: Date, { from }: Stopwatch): RevocationStep {
  const took_ms = Math.round(performance.now() - from);
  return {
    ...{ step: 'claims_and_tokens_stopped', at: at.toISOString(), detail: stopped[kind] },
    ...{ began_at: at.toISOString(), took_ms, measured_by: 'monotonic_clock' },
  };
}

/**
 * The first statement counts, for this revocation and all its parts that are not finished. They are locked in one order,
 * so that two statements do not wait for each other.
 */
async function state({ transaction, asked, at }: Opening, id: string): Promise<void> {
  const stated = json({ by: asked.by, at: at.toISOString() });
  await sql`
    with recursive parts as (
      select id from revocation where id = ${id}
      union all
      select part.id from revocation part join parts on part.parent_id = parts.id
    )
    update revocation set stated = coalesce(stated, ${stated})
    where id in (
      select id from revocation where id in (select id from parts) and finished_at is null
      order by id for update
    )
  `.execute(transaction);
}
