import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { rules } from '../auth/authorization.ts';
import { openTestContext, type TestContext } from '../test-context.ts';
import { createAnswerJudge } from './described-answers-for-tests.ts';
import { ownRefusals } from './own-refusals.ts';
import { summaries } from './summaries.ts';

let given: TestContext;
let judge: ReturnType<typeof createAnswerJudge>;
before(async () => {
  given = await openTestContext();
  await given.app.ready();
  judge = createAnswerJudge(given.app.swagger());
});
after(() => given.close());

const problem = (status: number, code: string, more = {}) => ({
  ...{ method: 'DELETE', path: '/v1/connections/:id', status },
  headers: { 'content-type': 'application/problem+json', 'x-request-id': 'a' },
  body: JSON.stringify({
    ...{ type: `urn:ebb:problem:${code}`, title: 'A', status, detail: 'A', code, request_id: 'a', ...more },
  }),
});

test('an answer that the description has passes; one with another status, code, form or media type does not', () => {
  assert.equal(judge(problem(409, 'connection_in_use')), undefined);
  assert.match(judge(problem(418, 'teapot')) ?? '', /418 is not described/);
  assert.match(judge(problem(409, 'name_taken')) ?? '', /another form/);
  assert.match(judge(problem(409, 'connection_in_use', { status: '409' })) ?? '', /another form/);
  assert.match(judge({ ...problem(409, 'connection_in_use'), headers: {} }) ?? '', /lacks x-request-id/);
  const headers = { 'content-type': 'text/html', 'x-request-id': 'a' };
  assert.match(judge({ ...problem(409, 'connection_in_use'), headers }) ?? '', /not described as text/);
  assert.match(judge({ ...problem(204, ''), body: 'null' }) ?? '', /204 is not described as/);
});

test('who is told to come again is told when', () => {
  const busy = { ...problem(503, 'queue_full'), method: 'POST', path: '/v1/builds' };
  assert.match(judge(busy) ?? '', /503 lacks retry-after/);
  assert.equal(judge({ ...busy, headers: { ...busy.headers, 'retry-after': '60' } }), undefined);
});

test('the reference says of each route what it does, and where to look for it, and of no other', () => {
  const { paths } = given.app.swagger() as {
    paths: Record<string, Record<string, { summary?: string; tags?: string[] }>>;
  };
  const described = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      ...{ operation, route: `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}` },
    })),
  );
  for (const { operation, route } of described) {
    assert.ok(operation.summary, `${route} has no line in api/http/summaries.ts`);
    assert.equal(operation.tags?.length, 1, `${route} needs a tag in its schema`);
  }
  const routes = described.map(({ route }) => route);
  assert.deepEqual(Object.keys(summaries).sort(), routes.sort());
});

test('what a route refuses on its own account is said of routes that there are', () => {
  const routes = rules.map(([route]): string => route);
  assert.deepEqual(
    Object.keys(ownRefusals).filter((route) => !routes.includes(route)),
    [],
  );
});
