/** The bytes end before the value does, or a value is larger than its bytes. */
export class WireError extends Error {
  override name = 'WireError';
}

/**
 * Reads the data types of the SSH protocol from one message.
 *
 * @see https://www.rfc-editor.org/rfc/rfc4251#section-5
 */
export class WireReader {
  readonly #data: Buffer;
  #offset = 0;

  constructor(data: Buffer) {
    this.#data = data;
  }

  get atEnd(): boolean {
    return this.#offset === this.#data.length;
  }

  byte(): number {
    return this.#take(1).readUInt8();
  }

  boolean(): boolean {
    return this.byte() !== 0;
  }

  uint32(): number {
    return this.#take(4).readUInt32BE();
  }

  /** A view into the message, not a copy. */
  string(): Buffer {
    return this.#take(this.uint32());
  }

  text(): string {
    return this.string().toString('utf8');
  }

  /** All bytes that were not read yet. */
  rest(): Buffer {
    return this.#take(this.#data.length - this.#offset);
  }

  #take(length: number): Buffer {
    const end = this.#offset + length;
    if (end > this.#data.length) throw new WireError('The SSH message ends early.');
    const part = this.#data.subarray(this.#offset, end);
    this.#offset = end;
    return part;
  }
}

export function wireUint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function wireString(value: Buffer | string): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.concat([wireUint32(bytes.length), bytes]);
}
