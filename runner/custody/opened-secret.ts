import { inspect } from 'node:util';
import { markAsUncloneable } from 'node:worker_threads';

const placeholder = '[opened secret]';

/**
 * Bytes that were sealed and are open now. They are reached through `use` alone, and until `wipe`: logged, inspected,
 * turned into text or JSON, the object shows a placeholder; spread or serialized it is empty; it cannot be cloned or
 * posted to another thread.
 */
export class OpenedSecret {
  readonly #bytes: Buffer;
  #wiped = false;

  /** Takes over the bytes: whoever had them must not use or keep them. */
  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    markAsUncloneable(this);
  }

  /** Lends the bytes for as long as `use` runs, which keeps no part of them. Throws when they are wiped. */
  use<T>(use: (bytes: Buffer) => T): T {
    if (this.#wiped) throw new Error('The opened secret is wiped.');
    return use(this.#bytes);
  }

  /** Overwrites the bytes. May be called again. */
  wipe(): void {
    this.#wiped = true;
    this.#bytes.fill(0);
  }

  toString(): string {
    return placeholder;
  }

  toJSON(): string {
    return placeholder;
  }

  [inspect.custom](): string {
    return placeholder;
  }
}
