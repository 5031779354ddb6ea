import assert from 'node:assert/strict';
import { before, beforeEach, test } from 'node:test';
import type { KyselyPlugin } from 'kysely';
import { describeApi } from '../../test/describe-api.ts';
import type { Database } from '../db/database.ts';
import { addOperator, type Client, created, declareBuildableProject, signIn } from '../test-client.ts';
import { listBuilds } from './store.ts';

describeApi('pages of builds', (given) => {
  let admin: Client;
  let operator: Client;
  let project: { id: string };
  before(async () => {
    admin = await signIn(given(), given().keys.admin);
    operator = await signIn(given(), await addOperator(given(), ['operator']));
  });
  beforeEach(async () => {
    await pause(null);
    project = await declareBuildableProject(given(), admin);
  });
  const pause = (reason: string | null) =>
    operator.call('PATCH', '/v1/operator/teams/acme', { paused_by_operator: reason });
  const start = async (count: number): Promise<string[]> => {
    const ids = [];
    for (let made = 0; made < count; made += 1)
      ids.push((await created(admin, '/v1/builds', { project_id: project.id })).id);
    return ids;
  };
  const page = async (): Promise<{ id: string; reason: string }[]> => {
    const { status, body } = await admin.call('GET', `/v1/builds?project_id=${project.id}`);
    assert.equal(status, 200);
    return body.items;
  };
  const reasons = async () => (await page()).map(({ reason }) => reason);

  test('each build of a page says why it waits, as it does alone, and the queue is asked once', async () => {
    const { queue } = given().context;
    const [, , , cancelled] = await start(4);
    await admin.call('POST', `/v1/builds/${cancelled}/cancel`);
    const { places } = queue;
    const asked: string[][] = [];
    queue.places = (builds) => {
      asked.push(builds);
      return places(builds);
    };
    const shown = await page().finally(() => {
      queue.places = places;
    });
    assert.deepEqual(
      shown.map(({ reason }) => reason),
      [
        'Cancelled by request.',
        'Waiting for a runner: 3rd in line.',
        'Waiting for a runner: 2nd in line.',
        'Waiting for a runner: next in line.',
      ],
    );
    assert.deepEqual(asked, [shown.slice(1).map(({ id }) => id)]);
    for (const build of shown)
      assert.deepEqual((await admin.call('GET', `/v1/builds/${build.id}`)).body, build);
  });

  test('a page of builds of a paused team reads the team once, however many wait', async () => {
    const { context } = given();
    await start(3);
    await pause('Write to us.');
    const asked = { teamId: (await team()).id, limit: 200, projectId: project.id };
    const counted = counting(context.database);
    const list = () => listBuilds({ ...context, database: counted.database }, asked);
    assert.deepEqual(
      (await list()).items.map(({ reason }) => reason),
      ['3rd in line', '2nd in line', 'next in line'].map(
        (place) => `Waiting: ${place}; paused by the operator: Write to us.`,
      ),
    );
    assert.equal(counted.queries(), 2, 'of the builds and of the team');
    await pause(null);
    await list();
    assert.equal(counted.queries(), 3, 'nothing is read of a team that holds nothing up');
  });

  test('who asks for the same page while it is read shares the next reading; another page is read apart', async () => {
    const { context } = given();
    const [first, second] = await start(2);
    const counted = counting(context.database);
    const teamId = (await team()).id;
    const list = async (limit: number) => {
      const asked = { teamId, limit, projectId: project.id };
      const { items } = await listBuilds({ ...context, database: counted.database }, asked);
      return items.map(({ id }) => id);
    };
    const shown = await Promise.all([1, 2, 1, 2, 1, 2].map(list));
    assert.deepEqual(
      shown,
      [1, 2, 1, 2, 1, 2].map((limit) => [second, first].slice(0, limit)),
    );
    assert.equal(counted.queries(), 4);
  });

  test('a page is there while Redis is not, without reasons that only the queue knows', async () => {
    const { queue } = given().context;
    await start(2);
    const { places } = queue;
    queue.places = () => Promise.reject(new Error('Redis is away.'));
    const away = await reasons().finally(() => {
      queue.places = places;
    });
    const [row] = await given()
      .context.database.selectFrom('build')
      .select('reason')
      .where('project_id', '=', project.id)
      .execute();
    assert.deepEqual(away, [row?.reason, row?.reason]);
  });

  const team = () =>
    given()
      .context.database.selectFrom('team')
      .select('id')
      .where('name', '=', 'acme')
      .executeTakeFirstOrThrow();
});

function counting(database: Database): { database: Database; queries(): number } {
  let queries = 0;
  const count: KyselyPlugin = {
    transformQuery({ node }) {
      queries += 1;
      return node;
    },
    transformResult: async ({ result }) => result,
  };
  return { database: database.withPlugin(count), queries: () => queries };
}
