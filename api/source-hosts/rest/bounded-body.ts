/** A body is larger than what is read of one. */
export class TooLargeError extends Error {
  override name = 'TooLargeError';
}

/** All of a body, when that is at most `maxBytes`. Throws TooLargeError, and what the connection fails with. */
export async function readBounded({ body }: Response, maxBytes: number): Promise<Buffer<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > maxBytes) throw new TooLargeError(`the answer is larger than ${maxBytes / 1024} KiB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Such as `ECONNREFUSED`: what fetch hides in the cause, and nothing of where it was sent. */
export function causeCode(error: unknown): string | undefined {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error ? Reflect.get(cause, 'code') : undefined;
  return typeof code === 'string' ? code : undefined;
}
