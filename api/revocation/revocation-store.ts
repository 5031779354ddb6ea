import { type Selectable, sql } from 'kysely';
import type { RevocationStep } from '../../contract/receipt.ts';
import type { ApiContext } from '../context.ts';
import { type Database, json } from '../db/database.ts';
import type { Schema } from '../db/schema.ts';

export type RevocationRow = Selectable<Schema['revocation']>;

/**
 * Marks the project, which stops claims, hooks and tokens at once, and opens its revocation with that first step.
 * One that is open or finished stays as it is. Undefined when there is no such project.
 */
export async function openRevocation(
  { database, now }: ApiContext,
  projectId: string,
): Promise<RevocationRow | undefined> {
  return await database.transaction().execute(async (transaction) => {
    const at = now();
    const project = await transaction
      .updateTable('project')
      .set({ revoking_at: sql<Date>`coalesce(revoking_at, ${at.toISOString()}::timestamptz)` })
      .where('id', '=', projectId)
      .returning('id')
      .executeTakeFirst();
    if (!project) return undefined;
    const first: RevocationStep = {
      step: 'claims_and_tokens_stopped',
      at: at.toISOString(),
      detail: 'No build is accepted or claimed any more; the hook and the tokens of the project are refused.',
    };
    await transaction
      .insertInto('revocation')
      .values({
        project_id: projectId,
        steps: json([first]),
        started_at: at,
        finished_at: null,
        receipt_id: null,
      })
      .onConflict((on) => on.column('project_id').doNothing())
      .execute();
    return await readRevocation(transaction, projectId);
  });
}

/** Throws when there is none: it is opened first. */
export async function readRevocation(database: Database, projectId: string): Promise<RevocationRow> {
  return await database
    .selectFrom('revocation')
    .selectAll()
    .where('project_id', '=', projectId)
    .executeTakeFirstOrThrow();
}

/** Like {@link readRevocation}, and nobody else changes it until the transaction ends. */
export async function lockRevocation(transaction: Database, projectId: string): Promise<RevocationRow> {
  return await transaction
    .selectFrom('revocation')
    .selectAll()
    .where('project_id', '=', projectId)
    .forUpdate()
    .executeTakeFirstOrThrow();
}

/**
 * Records that a step is done, with `change` in the same transaction. The first record of a step counts; times never
 * go back, also when two servers' clocks differ.
 */
export async function recordStep(
  { database, now }: ApiContext,
  projectId: string,
  done: Pick<RevocationStep, 'step' | 'detail'>,
  change: (transaction: Database) => Promise<unknown> = async () => {},
): Promise<void> {
  await database.transaction().execute(async (transaction) => {
    const { steps } = await lockRevocation(transaction, projectId);
    await change(transaction);
    if (steps.some(({ step }) => step === done.step)) return;
    const at = new Date(Math.max(now().getTime(), ...steps.map((step) => Date.parse(step.at)))).toISOString();
    await transaction
      .updateTable('revocation')
      .set({ steps: json([...steps, { ...done, at }]) })
      .where('project_id', '=', projectId)
      .execute();
  });
}

/** Projects whose revocation began and is not finished. */
export async function openRevocations(database: Database): Promise<string[]> {
  const rows = await database
    .selectFrom('revocation')
    .select('project_id')
    .where('finished_at', 'is', null)
    .orderBy('started_at')
    .execute();
  return rows.map((row) => row.project_id);
}
