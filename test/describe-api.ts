import { after, before, describe, type TestContext as Test } from 'node:test';
import { openTestContext, type TestContext } from '../api/test-context.ts';
import { startPostgres } from './postgres.ts';

/** One specification on both databases: PGlite in memory, and a PostgreSQL server of the test's own. */
export function describeApi(name: string, specify: (given: () => TestContext) => void): void {
  for (const database of ['PGlite', 'PostgreSQL'] as const) {
    describe(`${name}, on ${database}`, () => {
      let postgres: Awaited<ReturnType<typeof startPostgres>> | undefined;
      let test: TestContext | undefined;
      before(async () => {
        if (database === 'PostgreSQL') postgres = await startPostgres();
        test = await openTestContext(postgres && { url: postgres.url });
      });
      after(async () => {
        await test?.close();
        await postgres?.close();
      });
      specify(() => {
        if (!test) throw new Error('The control plane is there while tests run, not before.');
        return test;
      });
    });
  }
}

/** The control plane on a PostgreSQL server of its own until the test is over, for what PGlite with its one connection cannot show. */
export async function openOnPostgres(t: Test): Promise<TestContext> {
  const postgres = await startPostgres();
  const given = await openTestContext({ url: postgres.url });
  t.after(async () => {
    await given.close();
    await postgres.close();
  });
  return given;
}
