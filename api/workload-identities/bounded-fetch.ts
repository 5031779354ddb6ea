const maxBytes = 256 * 1024;

/** A stranger's document is larger than what is read of one. */
export class TooLargeError extends Error {
  override name = 'TooLargeError';
}

/** A `fetch` for small documents of strangers: no redirects, within `timeoutMs`, of 256 KiB at most, without streaming. */
export function boundedFetch(fetch: typeof globalThis.fetch, timeoutMs: number): typeof globalThis.fetch {
  return async (input, init = {}) => {
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = init.signal ? AbortSignal.any([init.signal, timeout]) : timeout;
    const answer = await fetch(input, { ...init, redirect: 'manual', signal });
    const body = await readWhole(answer);
    const { status, headers } = answer;
    return new Response(status === 204 || status === 304 ? null : body, {
      status,
      headers: new Headers([...headers]),
    });
  };
}

async function readWhole({ body }: Response): Promise<Buffer<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > maxBytes) throw new TooLargeError(`the answer is larger than ${maxBytes / 1024} KiB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
