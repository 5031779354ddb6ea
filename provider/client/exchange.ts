import { Agent, type IncomingMessage, request as requestOverHttp } from 'node:http';
import { request as requestOverHttps, Agent as TlsAgent } from 'node:https';
import { isLoopback } from '../../contract/transport-security.ts';

export interface Exchange {
  method: string;
  url: string;
  headers: Record<string, string>;
  body?: string;
  timeoutMilliseconds: number;
  /** Ends it at once, with its reason. */
  signal: AbortSignal;
}

export interface Exchanged {
  status: number;
  headers: IncomingMessage['headers'];
  text: string;
}

/** Far more than Ebb answers: what has no end must not fill the memory. */
const longestAnswerBytes = 32 * 1024 * 1024;
// As providers in Go have it: HTTPS_PROXY and its like count, but for this machine itself; NODE_TLS_REJECT_UNAUTHORIZED does not.
const tls = { keepAlive: true, rejectUnauthorized: true };
const proxied = { proxyEnv: process.env } as object;
const agents = {
  direct: { 'http:': new Agent({ keepAlive: true }), 'https:': new TlsAgent(tls) },
  proxied: {
    'http:': new Agent({ keepAlive: true, ...proxied }),
    'https:': new TlsAgent({ ...tls, ...proxied }),
  },
};

/**
 * One request and its whole answer, whatever it is; redirects are not followed, as they could carry the token elsewhere.
 * `fetch` would do it too, in twice the time: a plan makes a request for every resource.
 */
export function exchange({
  method,
  url,
  headers,
  body,
  timeoutMilliseconds,
  signal,
}: Exchange): Promise<Exchanged> {
  return new Promise((resolve, reject) => {
    const target = new URL(url);
    const isTls = target.protocol === 'https:';
    const start = isTls ? requestOverHttps : requestOverHttp;
    const way = agents[isLoopback(target.hostname) ? 'direct' : 'proxied'];
    const call = start(target, { method, headers, agent: way[isTls ? 'https:' : 'http:'] });
    const end = (error: unknown) => {
      call.destroy();
      settle(() => reject(error));
    };
    const onAbort = () => end(signal.reason);
    const timer = setTimeout(() => end(new Error('no answer in time')), timeoutMilliseconds);
    const settle = (done: () => void) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      done();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    call.on('error', end);
    call.once('response', (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on('error', end);
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
        if (length > longestAnswerBytes)
          end(new Error(`the answer is longer than ${longestAnswerBytes} bytes`));
        else chunks.push(chunk);
      });
      response.once('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        settle(() => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
      });
      response.once('close', () => !response.complete && end(new Error('the answer was cut off')));
    });
    call.end(body);
  });
}
