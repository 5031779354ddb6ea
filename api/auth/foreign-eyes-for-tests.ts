import assert from 'node:assert/strict';
import { send } from '../test-client.ts';
import type { TestContext } from '../test-context.ts';
import { absent } from './requests-for-tests.ts';
import type { Things } from './team-with-everything-for-tests.ts';

export interface Request {
  method: 'GET';
  url: string;
  payload?: object;
}

type Headers = Record<string, string>;

/** Sends requests with the tokens of anybody. */
export function createAsker(given: TestContext) {
  let asked = 0;
  /** A few from each place, as what one place may be refused is limited. */
  return async (request: Request, token?: string, headers: Headers = {}) => {
    const remoteAddress = `198.51.${(++asked >> 7) % 250}.1`;
    const isLog = request.url.includes('/log?attempt');
    return await send(given, {
      ...{ ...request, remoteAddress, ...(isLog && { payload: Buffer.from('x') }) },
      headers: {
        ...(isLog && { 'content-type': 'application/octet-stream' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...headers,
      },
    });
  };
}

export type Ask = ReturnType<typeof createAsker>;

/** Asserts that who has `token` is told of `things` what he is told of none, and nothing with their ids in it; gives what he is told. */
export async function looksAbsent(
  ask: Ask,
  { token, things, headers = {} }: { token: string; things: Things; headers?: Headers },
  request: (things: Things) => Request,
) {
  const nowhere = absent(things);
  const real = await ask(request(things), token, headers);
  const namesThem = JSON.stringify(request(things)) !== JSON.stringify(request(nowhere));
  if (namesThem) {
    const none = await ask(request(nowhere), token, headers);
    assert.deepEqual(
      [real.status, told(real.text, things)],
      [none.status, told(none.text, nowhere)],
      JSON.stringify(request(things)),
    );
  }
  if (real.status < 400) assert.deepEqual(idsIn(real.text, things), [], real.text);
  return real;
}

/** Which of the things are named. */
export function idsIn(text: string, things: Things): string[] {
  return Object.values(things).filter((id) => text.includes(id));
}

/** What is told of things, without what names them or the request. */
function told(text: string, things: Things): string {
  const ids = Object.values(things).sort((a, b) => b.length - a.length);
  const bare = ids.reduce((left, id) => left.replaceAll(id, 'ID'), text);
  return bare.replace(/"request_id":"[^"]*"/, '');
}
