import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { BuildSpecification } from '../../contract/runner.ts';
import { type ControlPlane, createControlPlane } from './control-plane.ts';

type Answer = (response: ServerResponse) => void;
const specification = { build_id: 'bld_1', token: 'build-token', attempt: 2 } as BuildSpecification;
const signal = () => AbortSignal.timeout(20_000);

const ok: Answer = (response) => response.writeHead(204).end();
const json =
  (status: number, body: unknown): Answer =>
  (response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
const hangUp: Answer = (response) => response.socket?.destroy();

describe('the API as a runner calls it', () => {
  let answers: Answer[];
  let requests: { method: string; url: string; authorization: string; body: string }[];
  let controlPlane: ControlPlane;
  let close: () => void;

  beforeEach(async () => {
    [answers, requests] = [[], []];
    const server = createServer(async (request: IncomingMessage, response) => {
      const body = await text(request);
      const { method = '', url = '', headers } = request;
      requests.push({ method, url, authorization: headers.authorization ?? '', body });
      (answers.shift() ?? ok)(response);
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    controlPlane = createControlPlane({ url: `http://127.0.0.1:${port}`, apiKey: 'ebb_key' });
    close = () => {
      server.closeAllConnections();
      server.close();
    };
  });
  afterEach(() => close());
  const reports = () => controlPlane.build(specification);

  test('a report is repeated as it was until it is answered', async () => {
    answers = [hangUp, json(503, {}), json(429, {}), ok];
    await reports().finish({ outcome: 'passed' }, signal());
    assert.equal(requests.length, 4);
    assert.equal(new Set(requests.map((request) => JSON.stringify(request))).size, 1);
    assert.deepEqual(JSON.parse(requests[0]?.body ?? ''), { outcome: 'passed', attempt: 2 });
    assert.equal(requests[0]?.authorization, 'Bearer build-token');
  });

  test('a claim names who had the build before, and bytes of the log come with where they end', async () => {
    answers = [json(200, { access_token: 't', expires_in: 60 }), json(200, specification), ok];
    await controlPlane.claim('bld_1', 'runner-2/b', signal(), {
      takenFrom: ['runner-1/a'],
      handedOver: true,
    });
    assert.deepEqual(JSON.parse(requests[1]?.body ?? ''), {
      lease_holder: 'runner-2/b',
      takes_over: ['runner-1/a'],
      handed_over: true,
    });
    await reports().appendLog(5, Buffer.from('x'), signal(), '{"command":1}');
    const { searchParams } = new URL(requests[2]?.url ?? '', 'http://api');
    assert.deepEqual(Object.fromEntries(searchParams), {
      attempt: '2',
      offset: '5',
      cursor: '{"command":1}',
    });
  });

  test('a token that is refused before its time is asked for anew, once', async () => {
    const token = (access_token: string) => json(200, { access_token, expires_in: 900 });
    const refused = json(401, { code: 'unauthorized' });
    answers = [token('old'), json(200, specification), refused, token('new'), json(200, specification)];
    await controlPlane.claim('bld_1', 'runner-1/a', signal());
    await controlPlane.claim('bld_1', 'runner-1/b', signal());
    assert.equal(requests.at(-1)?.authorization, 'Bearer new');
    answers = [refused, refused];
    await assert.rejects(controlPlane.claim('bld_1', 'runner-1/c', signal()), { status: 401 });
    assert.equal(requests.length, 7, 'one claim, and one question for a token');
  });

  test('a heartbeat says the place of a VM that is shared, and gives what the API says of the lease', async () => {
    answers = [json(200, { lease: 'held' }), json(503, {}), json(200, { lease: 'taken' })];
    assert.equal(await reports().heartbeat(undefined, signal()), 'held');
    assert.equal(await reports().heartbeat('here', signal()), 'taken');
    const bodies = requests.map(({ body }) => JSON.parse(body));
    assert.deepEqual(bodies, [{ attempt: 2 }, { attempt: 2, place: 'here' }, { attempt: 2, place: 'here' }]);
    assert.equal(requests[0]?.url, '/v1/builds/bld_1/heartbeat');
  });

  test('a refusal is not repeated and is told with its code', async () => {
    answers = [json(409, { code: 'old_attempt', detail: 'The build is at attempt 3.' })];
    await assert.rejects(reports().phase('test', signal()), {
      name: 'ControlPlaneError',
      status: 409,
      code: 'old_attempt',
      message: 'The build is at attempt 3.',
    });
    assert.equal(requests.length, 1);
  });

  test('a refusal that is no problem document is told by its status', async () => {
    answers = [(response) => response.writeHead(403).end('<html>')];
    await assert.rejects(reports().phase('test', signal()), {
      status: 403,
      message: 'The API answered 403.',
    });
  });

  test('nothing is repeated once the caller gives up', async () => {
    const stop = new AbortController();
    answers = [
      (response) => {
        stop.abort(new Error('given up'));
        response.writeHead(503).end();
      },
    ];
    await assert.rejects(reports().finish({ outcome: 'passed' }, stop.signal));
    assert.equal(requests.length, 1);
  });

  test('a part of the log is sent as bytes with its offset', async () => {
    await reports().appendLog(1234, Buffer.from('log ☂'), signal());
    assert.equal(requests[0]?.url, '/v1/builds/bld_1/log?attempt=2&offset=1234');
    assert.equal(requests[0]?.body, 'log ☂');
  });

  test('the key is exchanged for a token that serves many claims', async () => {
    const claim = () => controlPlane.claim('bld_1', 'runner-1', signal());
    answers = [json(200, { access_token: 'first', expires_in: 900 }), json(200, {}), json(200, {})];
    await claim();
    await claim();
    assert.deepEqual(
      requests.map(({ url, authorization }) => [url, authorization]),
      [
        ['/v1/token', ''],
        ['/v1/builds/bld_1/claim', 'Bearer first'],
        ['/v1/builds/bld_1/claim', 'Bearer first'],
      ],
    );
    assert.match(requests[0]?.body ?? '', /client_secret=ebb_key/);
  });

  test('a token of no length is not used twice', async () => {
    const token = (value: string) => json(200, { access_token: value, expires_in: 0 });
    answers = [token('one'), json(200, {}), token('two'), json(200, {})];
    await controlPlane.claim('bld_1', 'runner-1', signal());
    await controlPlane.claim('bld_2', 'runner-1', signal());
    assert.deepEqual(requests.map(({ authorization }) => authorization).filter(Boolean), [
      'Bearer one',
      'Bearer two',
    ]);
  });
});
