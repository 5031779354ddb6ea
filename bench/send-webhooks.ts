import { createHmac, randomUUID } from 'node:crypto';
import autocannon from 'autocannon';
import { type Prepared, steadyLoad } from './steady-load.ts';

/** What the parent asks for by IPC: as many as it takes, or `rate` a second. */
export interface Load {
  url: string;
  /** JSON in which every `commit` is replaced by another one for each request. */
  template: string;
  commit: string;
  secret: string;
  connections: number;
  seconds: number;
  rate?: number;
}

/** Requests per second; or, at a given rate, the milliseconds of every answer, ascending. */
export interface Result {
  rate?: number;
  times?: number[];
  error?: string;
}

process.on('message', (load: Load) => {
  run(load)
    .catch((error): Result => ({ error: String(error) }))
    .then((result) => process.send?.(result));
});

async function run(load: Load): Promise<Result> {
  const { url, rate, seconds, connections } = load;
  const prepare = preparer(load);
  return rate === undefined
    ? { rate: await throughput(url, prepare, { duration: seconds, connections }) }
    : { times: await steadyLoad(url, prepare, { rate, seconds, connections }) };
}

let count = 0;

function preparer({ template, commit, secret }: Load): () => Prepared {
  const bytes = Buffer.from(template);
  const places: number[] = [];
  for (let at = bytes.indexOf(commit); at >= 0; at = bytes.indexOf(commit, at + 1)) places.push(at);
  return () => {
    count += 1;
    const unique = Buffer.from(`${process.pid.toString(16)}${count.toString(16)}`.padStart(40, '0'));
    const body = Buffer.from(bytes);
    for (const at of places) unique.copy(body, at);
    const signature = createHmac('sha256', secret).update(body).digest('hex');
    return {
      body,
      headers: {
        'content-type': 'application/json',
        'x-github-event': 'push',
        'x-github-delivery': randomUUID(),
        'x-hub-signature-256': `sha256=${signature}`,
      },
    };
  };
}

async function throughput(
  url: string,
  prepare: () => Prepared,
  options: { duration: number; connections: number },
): Promise<number> {
  const setupRequest = (request: autocannon.Request) => ({ ...request, ...prepare() });
  const result = await autocannon({ ...options, url, method: 'POST', requests: [{ setupRequest }] });
  if (result.non2xx + result.errors > 0) {
    throw new Error(`${url}: ${result.non2xx} answers without success, ${result.errors} errors`);
  }
  return result.requests.average;
}
