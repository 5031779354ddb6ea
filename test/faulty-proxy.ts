import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

/** What happens to an answer of the API on its way. The API has done what was asked, but for `lost_request`. */
export type Fault =
  | 'lost_request'
  | 'lost_answer'
  | 'truncated'
  | 'endless'
  | { delayMilliseconds: number }
  | { status: number; type: string; body: string };

/** Chooses for each request, `POST /v1/projects`; the request waits for what it does. */
export type Meddle = (line: string) => Fault | undefined | Promise<Fault | undefined>;

/** Stands before the API, as a load balancer or a hotel's network does. */
export interface FaultyProxy {
  url: string;
  /** Takes the place of what was given before. */
  meddle(choose: Meddle): void;
  /** Refuses connections, and cuts those that there are. */
  goDown(): Promise<void>;
  /** Takes connections again, at the same address. */
  comeBack(): Promise<void>;
}

const connectionHeaders = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'keep-alive',
]);

export async function startFaultyProxy(target: string): Promise<FaultyProxy> {
  let choose: Meddle = () => undefined;
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await buffer(request);
    const fault = await choose(`${request.method} ${request.url}`);
    if (fault === 'lost_request') return void request.socket.destroy();
    const answer = await forward(target, request, body);
    if (typeof fault === 'object' && 'delayMilliseconds' in fault) await sleep(fault.delayMilliseconds);
    else if (fault) return spoil(response, answer, fault);
    response.writeHead(answer.status, answer.headers).end(answer.body);
  };
  const server = createServer((request, response) => {
    serve(request, response).catch(() => request.socket.destroy());
  });
  const listen = (port: number) =>
    new Promise<void>((resolve) => server.listen(port, '127.0.0.1', () => resolve()));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    meddle(next) {
      choose = next;
    },
    async goDown() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
    comeBack: () => listen(port),
  };
}

interface Answer {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}

async function forward(target: string, request: IncomingMessage, body: Buffer): Promise<Answer> {
  const headers = Object.entries(request.headers).filter(([name]) => !connectionHeaders.has(name));
  const answer = await fetch(target + request.url, {
    method: request.method ?? 'GET',
    headers: headers.map(([name, value]): [string, string] => [name, String(value)]),
    ...(body.length > 0 && { body: new Uint8Array(body) }),
  });
  const kept = [...answer.headers].filter(([name]) => !connectionHeaders.has(name));
  return {
    status: answer.status,
    headers: Object.fromEntries(kept),
    body: Buffer.from(await answer.arrayBuffer()),
  };
}

function spoil(
  response: ServerResponse,
  { status, headers, body }: Answer,
  fault: Exclude<Fault, 'lost_request' | { delayMilliseconds: number }>,
): void {
  if (fault === 'lost_answer') return void response.socket?.destroy();
  if (typeof fault === 'object')
    return void response.writeHead(fault.status, { 'content-type': fault.type }).end(fault.body);
  response.writeHead(status, headers);
  if (fault === 'truncated') return void response.end(body.subarray(0, body.length / 2));
  const more = () => {
    while (response.write(Buffer.alloc(1024 * 1024, ' ')));
  };
  response.on('drain', more);
  more();
}
