import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { openTestContext, type TestContext } from '../test-context.ts';

let given: TestContext;
before(async () => {
  given = await openTestContext();
  await given.listen();
});
after(() => given.close());

/** Sends these bytes as they are; gives status, media type and code of what comes back. */
async function told(bytes: string) {
  const { hostname, port } = new URL(given.context.publicUrl);
  const socket = connect(Number(port), hostname);
  let answer = '';
  socket.setEncoding('utf8').on('data', (text) => (answer += text));
  socket.write(bytes);
  await new Promise((resolve) => socket.once('close', resolve));
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  const type = /^content-type: (.*)$/im.exec(head)?.[1];
  return [Number(head.split(' ')[1]), type, JSON.parse(body).code];
}

test('what is no HTTP is answered with a problem document, too', async () => {
  const malformed = [
    'GARBAGE\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nA: \0\r\n\r\n',
    'POST /v1/token HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
    'POST /v1/token HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ];
  for (const bytes of malformed)
    assert.deepEqual(await told(bytes), [400, 'application/problem+json', 'bad_request'], bytes);
});

test('so are headers that are too large', async () => {
  const bytes = `GET /v1/health HTTP/1.1\r\nHost: a\r\nA: ${'a'.repeat(20_000)}\r\n\r\n`;
  assert.deepEqual(await told(bytes), [431, 'application/problem+json', 'headers_too_large']);
});

test('and a path that is no URL, or longer than any id, with the headers of every other answer', async () => {
  const { headers } = await given.app.inject('/v1/health');
  for (const [path, status] of [
    ['/v1/projects/%ZZ', 400],
    [`/v1/projects/${'a'.repeat(500)}`, 414],
  ] as const) {
    const answer = await given.app.inject(path);
    assert.equal(answer.statusCode, status);
    for (const name of ['content-security-policy', 'cache-control', 'x-content-type-options'])
      assert.equal(answer.headers[name], headers[name], name);
    assert.equal(answer.headers['x-request-id'], answer.json().request_id);
  }
});
