import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, describe, test } from 'node:test';
import { createGuardedFetch } from './guarded-fetch.ts';
import { HostMemory } from './host-memory.ts';
import { createRestClient, type RestRequest } from './rest-client.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

describe('requests to a source host', () => {
  let url: string;
  let answers: Answer[] = [];
  let seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    answer?.(request, response);
  });
  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => {
    answers = [];
    seen = [];
  });

  const client = (memory = new HostMemory({ create: 0, change: 0 })) =>
    createRestClient({
      host: 'The host',
      baseUrl: url,
      headers: { accept: 'application/json' },
      memory,
      fetch,
    });
  const request = (more: Partial<RestRequest> = {}): RestRequest => ({
    ...{ method: 'GET', path: '/thing', authorize: async () => ({ authorization: 'secret' }) },
    signal: AbortSignal.timeout(30_000),
    ...more,
  });
  const say =
    (status: number, body: unknown = {}, headers: Record<string, string> = {}): Answer =>
    (_request, response) =>
      void response.writeHead(status, headers).end(JSON.stringify(body));

  test('an address that is not public is not asked, and not tried again', async () => {
    const guarded = createRestClient({
      ...{ host: 'The host', baseUrl: url, headers: {}, fetch: createGuardedFetch([]) },
      memory: new HostMemory({ create: 0, change: 0 }),
    });
    await assert.rejects(guarded(request()), {
      code: 'refused',
      message: `Ebb does not ask ${url}: its address is not a public one. Whoever operates Ebb can allow its network with EBB_SOURCE_HOST_NETWORKS.`,
    });
    assert.equal(seen.length, 0);
  });

  test('an answer that did not change is confirmed, not sent again', async () => {
    answers = [
      (asked, response) => {
        const known = asked.headers['if-none-match'] === '"1"';
        if (known) response.writeHead(304).end();
        else response.writeHead(200, { etag: '"1"' }).end('{"name":"shop"}');
      },
    ];
    const send = client();
    assert.deepEqual((await send(request())).body, { name: 'shop' });
    assert.deepEqual((await send(request())).body, { name: 'shop' });
    assert.deepEqual(
      seen.map(({ headers }) => headers['if-none-match']),
      [undefined, '"1"'],
    );
  });

  test('what may be repeated is tried three times, what creates is not', async () => {
    answers = [say(502), say(503), say(200, { ok: true })];
    assert.deepEqual((await client()(request())).body, { ok: true });
    seen = [];
    answers = [say(502)];
    await assert.rejects(client()(request({ method: 'POST', body: {} })), { code: 'unreachable' });
    assert.equal(seen.length, 1);
  });

  test('the credential goes to no other site', async () => {
    answers = [say(302, {}, { location: 'https://elsewhere.example.com/thing' })];
    await assert.rejects(client()(request({ follow: true })), { code: 'refused', message: /elsewhere/ });
    await assert.rejects(client()(request()), { code: 'repository_moved' });
  });

  test('a limit closes the way for as long as the host says, for every request', async () => {
    const memory = new HostMemory({ create: 0, change: 0 });
    answers = [say(429, { message: 'Slow down' }, { 'retry-after': '7' })];
    const limited = { code: 'rate_limited', retryAfterSeconds: 7 };
    await assert.rejects(client(memory)(request()), limited);
    await assert.rejects(client(memory)(request()), limited);
    assert.equal(seen.length, 1);
  });

  test('a limit closes the way for an hour at most, whatever the host says', async () => {
    for (const wrong of ['1795910400000', '99999999999999999999']) {
      const memory = new HostMemory({ create: 0, change: 0 });
      answers = [say(429, { message: 'Slow down' }, { 'retry-after': wrong })];
      const limited = { code: 'rate_limited', retryAfterSeconds: 3_600 };
      await assert.rejects(client(memory)(request()), limited);
    }
  });

  test('changes take turns, and one that would wait for long is told when to come again', async () => {
    const memory = new HostMemory({ create: 4_000, change: 0 });
    answers = [say(201)];
    const send = () => client(memory)(request({ method: 'POST', body: {} }));
    const first = send();
    const second = send();
    await assert.rejects(send(), { code: 'rate_limited', retryAfterSeconds: 8 });
    await first;
    assert.equal(seen.length, 1, 'the second waits for its turn');
    await second;
  });

  test('an answer without end, or cut off, is given up', async () => {
    const mebibyte = Buffer.alloc(1024 * 1024, 32);
    answers = [
      (_request, response) => {
        response.writeHead(200);
        const more = () => {
          if (!response.destroyed) response.write(mebibyte, more);
        };
        more();
      },
    ];
    await assert.rejects(client()(request()), { code: 'refused', message: /larger than/ });
    const create = client()(request({ method: 'POST', body: {} }));
    await assert.rejects(create, { code: 'unreachable' }, 'it may have been done');
    answers = [(_request, response) => void response.writeHead(200).write('{', () => response.destroy())];
    await assert.rejects(client()(request()), { code: 'unreachable' });
  });

  test('an abort by the caller is no failure of the host', async () => {
    answers = [() => {}];
    const stop = new AbortController();
    const sent = client()(request({ signal: stop.signal }));
    setTimeout(() => stop.abort(new Error('stopped')), 50);
    await assert.rejects(sent, /stopped/);
  });
});
