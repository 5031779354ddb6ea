import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openTestContext, type TestContext } from '../../api/test-context.ts';
import { startPostgres } from '../postgres.ts';
import { runFuzz } from './run-fuzz.ts';
import { openWorld, planted, routes, type World } from './world.ts';

/*
 * Asks every route of the OpenAPI document for what is nearly in order. `npm run test:fuzz` does so 20,000 times on
 * PostgreSQL; a request that failed is made again by its seed, in EBB_FUZZ_SEED.
 */
const requests = Number(process.env.EBB_FUZZ_REQUESTS ?? 1_500);
const seed = Number(process.env.EBB_FUZZ_SEED ?? 1);
const onPostgres = process.env.EBB_FUZZ_REQUESTS !== undefined;

let postgres: Awaited<ReturnType<typeof startPostgres>> | undefined;
let given: TestContext;
let world: World;
before(async () => {
  postgres = onPostgres ? await startPostgres() : undefined;
  given = await openTestContext(postgres && { url: postgres.url });
  world = await openWorld(given);
});
after(async () => {
  await world?.close();
  await given?.close();
  await postgres?.close();
});

test(`${requests} hostile requests are answered as described, tell nothing and touch nothing of another team (seed ${seed})`, async (t) => {
  const rows = await world.victim.rows();
  const { findings, statuses, perSecond, slowest, heap } = await runFuzz(world, { seed, requests });
  const megabytes = (bytes: number) => Math.round(bytes / 1e5) / 10;
  t.diagnostic(
    `seed ${seed}, ${Math.round(perSecond)} requests/s, heap ${megabytes(heap.early)} to ${megabytes(heap.late)} MB`,
  );
  t.diagnostic(`the slowest: ${slowest.request.slice(0, 300)}`);
  assert.deepEqual(findings, []);
  assert.deepEqual(await world.victim.rows(), rows);
  assert.ok(!given.logged().includes(planted.secret) && !given.logged().includes(planted.variable));
  if (requests >= 10_000) assert.ok(heap.late - heap.early < 30 * 1024 * 1024, JSON.stringify(heap));
  const unheard = routes.filter(
    ([route]) => ![...(statuses.get(route)?.keys() ?? [])].some((status) => status < 400),
  );
  // Nothing is behind these for who has no link of a mail, or no grant that covers the thing.
  t.diagnostic(`never answered well: ${unheard.map(([route]) => route).join(', ')}`);
});
