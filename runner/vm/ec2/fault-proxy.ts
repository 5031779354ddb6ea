import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

const refusals = {
  throttle: [503, 'RequestLimitExceeded', 'Request limit exceeded.'],
  internal_error: [500, 'InternalError', 'An internal error occurred.'],
  capacity: [500, 'InsufficientInstanceCapacity', 'There is no room for this instance type.'],
  quota: [400, 'VcpuLimitExceeded', 'You have requested more vCPU capacity than your limit allows.'],
  expired: [400, 'ExpiredToken', 'The provided token has expired.'],
  unauthorized: [403, 'UnauthorizedOperation', 'You are not authorized to perform this operation.'],
  no_template: [400, 'InvalidLaunchTemplateId.NotFound', 'The specified launch template does not exist.'],
  no_subnet: [400, 'InvalidSubnetID.NotFound', 'The subnet does not exist.'],
} as const;

/** What may happen to a call on its way: a refusal, or a loss of the request or of its answer. */
export type Fault = 'none' | 'hang' | 'reset_before' | 'drop_after' | 'truncate' | keyof typeof refusals;

// A launch that was carried out is never refused for these afterwards.
const ofLaunches = new Set<Fault>(['capacity', 'quota', 'no_template', 'no_subnet']);
// One call that the emulator never answers must not be the answer to all repetitions of it.
const emulatorTimeoutMs = 10_000;
const connectionHeaders = new Set(['host', 'connection', 'content-length', 'transfer-encoding', 'expect']);

interface Answer {
  status: number;
  type: string;
  body: Buffer;
}

export interface FaultProxy {
  url: string;
  /** Calls that came in, by action. */
  calls: string[];
  close(): Promise<void>;
}

/**
 * Stands before an emulator of EC2 and does what the real one does and the emulator cannot: knows client tokens, has no
 * room, throttles, loses requests and answers. For tests.
 */
export async function startFaultProxy(options: {
  target: string;
  /** Chooses for each call; `run` says whether it is a launch. */
  fault(action: string): Fault;
}): Promise<FaultProxy> {
  const answered = new Map<string, Promise<Answer>>();
  const calls: string[] = [];

  const forward = async (request: IncomingMessage, body: Buffer): Promise<Answer> => {
    const headers = Object.entries(request.headers).flatMap(([name, value]): [string, string][] =>
      connectionHeaders.has(name) ? [] : [[name, String(value)]],
    );
    const answer = await fetch(options.target + (request.url ?? '/'), {
      method: request.method ?? 'POST',
      headers,
      body: new Uint8Array(body),
      signal: AbortSignal.timeout(emulatorTimeoutMs),
    });
    return {
      status: answer.status,
      type: answer.headers.get('content-type') ?? 'text/xml',
      body: Buffer.from(await answer.arrayBuffer()),
    };
  };
  /** What was launched with a client token is the answer to each repetition; what failed is tried again. */
  const forwardOnce = (request: IncomingMessage, body: Buffer, token: string | null): Promise<Answer> => {
    if (token === null) return forward(request, body);
    const known = answered.get(token);
    if (known) return known;
    const answer = forward(request, body);
    answered.set(token, answer);
    const forget = () => void answered.delete(token);
    answer.then(({ status }) => status < 500 || forget(), forget);
    return answer;
  };
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await buffer(request);
    const form = new URLSearchParams(body.toString());
    const action = form.get('Action') ?? '';
    calls.push(action);
    const fault = options.fault(action);
    const token = form.get('ClientToken');
    const launched = token !== null && answered.has(token);
    if (fault in refusals && !(launched && ofLaunches.has(fault)))
      return refuse(response, refusals[fault as keyof typeof refusals]);
    if (fault === 'reset_before') return void request.socket.destroy();
    if (fault === 'hang') return;
    const { status, type, body: answer } = await forwardOnce(request, body, token);
    if (fault === 'drop_after') return void request.socket.destroy();
    response.writeHead(status, { 'content-type': type, 'content-length': answer.length });
    if (fault !== 'truncate') return void response.end(answer);
    response.write(answer.subarray(0, answer.length / 2), () => request.socket.destroy());
  };
  const server = createServer((request, response) => {
    serve(request, response).catch(() => request.socket.destroy());
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** An error in the form of EC2's query API. */
function refuse(response: ServerResponse, refusal: readonly [number, string, string]): void {
  const [status, code, message] = refusal;
  response.writeHead(status, { 'content-type': 'text/xml' });
  response.end(
    `<?xml version="1.0"?><Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors><RequestID>x</RequestID></Response>`,
  );
}
