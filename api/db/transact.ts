import type { Database } from './database.ts';

/**
 * Runs `work` in one transaction, with a context whose `database` is that transaction: what it changes and what it
 * records of it stand or fall together. Its last step is the audit entry, which locks the team's chain.
 */
export async function transact<C extends { database: Database }, T>(
  context: C,
  work: (inside: C) => Promise<T>,
): Promise<T> {
  return await context.database.transaction().execute((database) => work({ ...context, database }));
}
