import { request as ask, type OutgoingHttpHeaders } from 'node:http';

/** A request as it goes over the wire. */
export interface FuzzRequest {
  /** The route that it is made for, `POST /v1/projects`. */
  route: string;
  method: string;
  /** Path and query, encoded. */
  url: string;
  headers: Record<string, string>;
  body?: Buffer | undefined;
}

export interface FuzzAnswer {
  status: number;
  headers: Record<string, unknown>;
  /** Undefined for a stream that goes on. */
  body: string | undefined;
  milliseconds: number;
}

/** Sends it; rejects when the answer is not whole after `timeoutMs`. Of events that go on only the beginning is waited for. */
export async function sendRequest(
  origin: string,
  { method, url, headers, body }: FuzzRequest,
  timeoutMs: number,
): Promise<FuzzAnswer> {
  const began = performance.now();
  const { hostname, port } = new URL(origin);
  const all: OutgoingHttpHeaders = { ...headers, ...(body && { 'content-length': body.length }) };
  return await new Promise((resolve, reject) => {
    const sent = ask({ hostname, port, method, path: url, headers: all }, (answer) => {
      const finish = (text: string | undefined) => {
        clearTimeout(timer);
        const milliseconds = performance.now() - began;
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text, milliseconds });
      };
      if (answer.headers['content-type'] === 'text/event-stream') {
        finish(undefined);
        return void sent.destroy();
      }
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('end', () => finish(Buffer.concat(parts).toString()));
      answer.on('error', fail);
    });
    const fail = (error: Error) => {
      clearTimeout(timer);
      sent.destroy();
      reject(error);
    };
    const timer = setTimeout(fail, timeoutMs, new Error(`There was no whole answer after ${timeoutMs} ms.`));
    sent.on('error', fail);
    sent.end(body);
  });
}

/** The request as a command for a shell, whatever bytes are in it. */
export function asCurl(origin: string, { method, url, headers, body }: FuzzRequest): string {
  const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
  const flags = Object.entries(headers).map(([name, value]) => ` -H ${quoted(`${name}: ${value}`)}`);
  const data = body
    ? ` --data-binary @- <<< "$(base64 -d <<< ${body.toString('base64').slice(0, 4_000)})"`
    : '';
  return `curl --path-as-is -i -X ${method} ${quoted(`${origin}${url}`)}${flags.join('')}${data}`;
}
