import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { type ApiRequest, createClient } from './client.ts';
import type { CreationNotes } from './creation-notes.ts';
import { isObject } from './send.ts';

type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void;

/** An API whose token endpoint works; `handler` answers the rest and is told how many requests there were. */
export async function startApi(t: TestContext, handler: Handler, more: { notes?: CreationNotes } = {}) {
  const seen: { line: string; headers: IncomingMessage['headers']; body: string }[] = [];
  const forms: string[] = [];
  const server = createServer(async (request, response) => {
    const body = await text(request);
    if (request.url === '/v1/token') {
      forms.push(body);
      response.end(JSON.stringify({ access_token: `token ${forms.length}`, expires_in: 600 }));
      return;
    }
    seen.push({ line: `${request.method} ${request.url}`, headers: request.headers, body });
    handler(request, response, seen.length);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const controller = new AbortController();
  const logged: object[] = [];
  const real = createClient({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    apiKey: 'ebb_id_secret',
    userAgent: 'test',
    signal: controller.signal,
    sleep: async () => {},
    ...more,
    log: { debug: (message, fields) => logged.push({ message, ...fields }) },
  });
  const client = {
    ...real,
    request: (request: Omit<ApiRequest, 'isAnswer'> & Partial<ApiRequest>) =>
      real.request({ isAnswer: isObject, ...request }),
  };
  return { client, controller, seen, forms, logged };
}
