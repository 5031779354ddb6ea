import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { type Item, problem, type Reply, route } from './fake-resources.ts';

/** What a test may look at and change behind Terraform's back. */
export interface FakeApi {
  endpoint: string;
  apiKey: string;
  /** By id, over all resources. */
  items: Map<string, Item>;
  /** Bodies of what was sent, newest last: `PATCH /v1/projects/prj_… {"test":[]}`. */
  requests: string[];
  /** Takes the place of the next answers, one each, to requests that match `METHOD /path`. */
  interfere(match: RegExp, ...replies: Reply[]): void;
  close(): Promise<void>;
}

const token = 'header.payload.signature';

/** A server in memory that answers as the contract says, for tests of the provider alone; over TLS when given a key. */
export async function startFakeApi(tls?: { key: string; cert: string }): Promise<FakeApi> {
  const items = new Map<string, Item>();
  const requests: string[] = [];
  const interferences: { match: RegExp; reply: Reply }[] = [];
  const apiKey = 'ebb_key_test_0123456789';

  const answer = async (request: IncomingMessage): Promise<Reply> => {
    const body = await text(request);
    const line = `${request.method} ${request.url}`;
    const index = interferences.findIndex(({ match }) => match.test(line));
    const [interference] = index < 0 ? [] : interferences.splice(index, 1);
    if (request.url === '/v1/token') return interference?.reply ?? issueToken(body, apiKey);
    if (request.url?.startsWith('/v1/token/')) {
      requests.push(line);
      return interference?.reply ?? { status: 200, body: { expires_in: 900 } };
    }
    requests.push(`${line} ${body}`.trim());
    if (interference) return interference.reply;
    if (request.headers.authorization !== `Bearer ${token}`) return problem(401, 'The token is not valid.');
    if (request.url?.startsWith('/v1/builds?'))
      return { status: 200, body: { items: [], next_cursor: null } };
    if (request.url === '/.well-known/jwks.json') return { status: 200, body: { keys: [] } };
    return route(items, request, body);
  };

  const listener = (request: IncomingMessage, response: ServerResponse) => {
    answer(request).then((reply) => respond(response, reply));
  };
  const server = tls ? createTlsServer(tls, listener) : createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    apiKey,
    items,
    requests,
    interfere: (match, ...replies) => interferences.push(...replies.map((reply) => ({ match, reply }))),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function respond(response: ServerResponse, { status, body, headers }: Reply): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}

function issueToken(form: string, apiKey: string): Reply {
  if (new URLSearchParams(form).get('client_secret') !== apiKey)
    return { status: 401, body: { error: 'invalid_client' } };
  return { status: 200, body: { access_token: token, token_type: 'Bearer', expires_in: 300, scope: '' } };
}
