/** The head of an array or map: as many items, or pairs of a key and an item, follow. */
export class Head {
  readonly kind: 'array' | 'map';
  readonly length: number;

  constructor(kind: 'array' | 'map', length: number) {
    this.kind = kind;
    this.length = length;
  }
}

/** Bytes that only those who know the extension can read. */
export class Extension {
  readonly type: number;
  readonly data: Uint8Array;

  constructor(type: number, data: Uint8Array) {
    this.type = type;
    this.data = data;
  }
}

export type Token = null | boolean | number | bigint | string | Uint8Array | Head | Extension;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads msgpack token by token, so that who knows the type decides what to keep: nothing is set aside for a length that
 * is only declared, and no key is special. Every method throws `TypeError` on bytes that are no msgpack.
 *
 * @see https://github.com/msgpack/msgpack/blob/master/spec.md
 */
export class MsgpackReader {
  #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Integers of 64 bits are a `bigint`, all others and floats a `number`. */
  token(): Token {
    const first = this.#unsigned(1);
    if (first <= 0x7f) return first;
    if (first <= 0x8f) return this.#head('map', first & 0x0f);
    if (first <= 0x9f) return this.#head('array', first & 0x0f);
    if (first <= 0xbf) return this.#text(first & 0x1f);
    if (first >= 0xe0) return first - 0x100;
    return this.#long(first);
  }

  /** Throws unless everything was read. */
  end(): void {
    if (this.#at < this.#bytes.length) throw new TypeError('More bytes follow the value.');
  }

  #long(first: number): Token {
    switch (first) {
      case 0xc0:
        return null;
      case 0xc2:
      case 0xc3:
        return first === 0xc3;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#take(this.#unsigned(1 << (first - 0xc4)));
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.#extension(this.#unsigned(1 << (first - 0xc7)));
      case 0xca:
        return this.#take(4).readFloatBE();
      case 0xcb:
        return this.#take(8).readDoubleBE();
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#unsigned(1 << (first - 0xcc));
      case 0xcf:
        return this.#take(8).readBigUInt64BE();
      case 0xd0:
      case 0xd1:
      case 0xd2:
        return this.#signed(1 << (first - 0xd0));
      case 0xd3:
        return this.#take(8).readBigInt64BE();
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#extension(1 << (first - 0xd4));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#unsigned(1 << (first - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#head('array', this.#unsigned(first === 0xdc ? 2 : 4));
      case 0xde:
      case 0xdf:
        return this.#head('map', this.#unsigned(first === 0xde ? 2 : 4));
      default:
        throw new TypeError('The bytes are no msgpack.');
    }
  }

  #head(kind: Head['kind'], length: number): Head {
    // Each item has a byte at least.
    if (length > this.#bytes.length - this.#at) throw endsEarly();
    return new Head(kind, length);
  }

  #extension(length: number): Extension {
    const type = this.#signed(1);
    return new Extension(type, Uint8Array.from(this.#take(length)));
  }

  #text(length: number): string {
    const bytes = this.#take(length);
    try {
      return utf8.decode(bytes);
    } catch {
      throw new TypeError('A text is not in UTF-8.');
    }
  }

  #unsigned(length: number): number {
    return this.#take(length).readUIntBE(0, length);
  }

  #signed(length: number): number {
    return this.#take(length).readIntBE(0, length);
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw endsEarly();
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }
}

function endsEarly(): TypeError {
  return new TypeError('The bytes end within a value.');
}
