import { readBounded } from '../source-hosts/rest/bounded-body.ts';

const maxBytes = 256 * 1024;

/** A `fetch` for small documents of strangers: no redirects, within `timeoutMs`, of 256 KiB at most, without streaming. */
export function boundedFetch(fetch: typeof globalThis.fetch, timeoutMs: number): typeof globalThis.fetch {
  return async (input, init = {}) => {
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = init.signal ? AbortSignal.any([init.signal, timeout]) : timeout;
    const answer = await fetch(input, { ...init, redirect: 'manual', signal });
    const body = await readBounded(answer, maxBytes);
    const { status, headers } = answer;
    return new Response(status === 204 || status === 304 ? null : body, {
      status,
      headers: new Headers([...headers]),
    });
  };
}
