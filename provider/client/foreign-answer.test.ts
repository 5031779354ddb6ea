import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiUnreachableError } from './api-error.ts';
import { startApi } from './api-for-tests.ts';
import { hasMember, hasNoBody } from './send.ts';

const notEbb = {
  'a page of a load balancer': [404, '<html>Not found</html>'],
  'JSON of something else': [403, '{"message":"Forbidden"}'],
  'a page with success': [200, '<html>Sign in to the hotel</html>'],
  'nothing at all': [200, ''],
  'half an answer': [201, '{"id":"prj_1","na'],
  'another shape': [200, '["prj_1"]'],
} as const;

for (const [what, [status, body]] of Object.entries(notEbb)) {
  test(`${what} is no answer: the same is asked again`, async (t) => {
    const { client, seen } = await startApi(t, (_, response, count) => {
      response.statusCode = count === 1 ? status : 201;
      response.end(count === 1 ? body : '{"id":"prj_1","name":"shop"}');
    });
    const request = {
      method: 'POST',
      path: '/v1/projects',
      body: '{}',
      isAnswer: hasMember('name'),
    } as const;
    assert.equal((await client.request(request)).text, '{"id":"prj_1","name":"shop"}');
    assert.equal(new Set(seen.map(({ headers }) => headers['idempotency-key'])).size, 1);
    assert.equal(seen.length, 2);
  });
}

test('a deletion is not done because something answers with a page', async (t) => {
  const { client } = await startApi(t, (_, response) => response.end('<html>'));
  const deletion = client.request({ method: 'DELETE', path: '/v1/projects/a', isAnswer: hasNoBody });
  await assert.rejects(deletion, ApiUnreachableError);
});

test('an answer without end is given up', async (t) => {
  const { client } = await startApi(t, (_, response) => {
    const more = () => {
      while (response.write(Buffer.alloc(1024 * 1024, ' ')));
    };
    response.on('drain', more);
    more();
  });
  await assert.rejects(client.request({ method: 'GET', path: '/' }), /longer than \d+ bytes/);
});
