/**
 * Fields of a message: name → `number type`, where the type is a scalar or another message's name and may be
 * `repeated T`, `map T` (string keys) or `one T` (member of a oneof: absent unless it was sent).
 */
export type MessageFields = { readonly [name: string]: string };

/** Writes and reads one message. Fields that are absent or have their default are not written. */
export interface Codec {
  encode(message: object): Buffer;
  /** Every field is there, with its default when it was not sent. Throws `RangeError` on bytes that are no message. */
  decode(bytes: Uint8Array): Record<string, unknown>;
}

interface Field {
  name: string;
  number: number;
  type: string;
  label: 'single' | 'repeated' | 'map' | 'one';
}

type Message = readonly Field[];
type Messages = { readonly [name: string]: Message };

const varint = 0;
const fixed64 = 1;
const delimited = 2;
const fixed32 = 5;
// Messages of the protocol nest a few levels; nobody else's may exhaust the stack.
const maximumDepth = 100;

/**
 * Codecs of messages by name.
 *
 * @see https://protobuf.dev/programming-guides/encoding/
 */
export function codecs(definitions: { readonly [name: string]: MessageFields }): (name: string) => Codec {
  const messages: Messages = Object.fromEntries(
    Object.entries(definitions).map(([name, fields]) => [name, Object.entries(fields).map(parseField)]),
  );
  return (name) => {
    const message = named(messages, name);
    return {
      encode(value) {
        const writer = new Writer();
        writeMessage(writer, message, value as Record<string, unknown>, messages);
        return writer.bytes();
      },
      decode: (bytes) => readMessage(new Reader(bytes), message, messages, 0),
    };
  };
}

function parseField([name, notation]: [string, string]): Field {
  const [number, ...words] = notation.split(' ');
  const type = words.at(-1) ?? '';
  const label = words.length > 1 ? (words[0] as Field['label']) : 'single';
  return { name, number: Number(number), type, label };
}

function named(messages: Messages, name: string): Message {
  const message = messages[name];
  if (!message) throw new TypeError(`The protocol has no message ${name}.`);
  return message;
}

function writeMessage(
  writer: Writer,
  message: Message,
  value: Record<string, unknown>,
  messages: Messages,
): void {
  for (const field of message) {
    const given = value[field.name];
    if (given === undefined || given === null) continue;
    if (field.label === 'repeated') {
      for (const item of given as unknown[]) writeField(writer, field, item, messages);
    } else if (field.label === 'map') {
      for (const [key, item] of Object.entries(given)) {
        writer.group(field.number, (entry) => {
          entry.text(1, key);
          writeField(entry, { ...field, number: 2 }, item, messages);
        });
      }
    } else if (field.label === 'one' || !isDefault(given)) writeField(writer, field, given, messages);
  }
}

function isDefault(value: unknown): boolean {
  return !value || (value instanceof Uint8Array && value.length === 0);
}

function writeField(writer: Writer, { number, type }: Field, value: unknown, messages: Messages): void {
  if (type === 'string') writer.text(number, String(value));
  else if (type === 'bytes') writer.blob(number, value as Uint8Array);
  else if (type === 'bool' || type === 'int32' || type === 'int64') {
    writer.varint((number << 3) | varint);
    writer.varint(Number(value));
  } else {
    const inner = named(messages, type);
    writer.group(number, (group) => writeMessage(group, inner, value as Record<string, unknown>, messages));
  }
}

class Writer {
  #parts: Uint8Array[] = [];
  #length = 0;

  varint(value: number): void {
    const bytes: number[] = [];
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
    bytes.push(Number(rest));
    this.#push(Uint8Array.from(bytes));
  }

  blob(number: number, bytes: Uint8Array): void {
    this.varint((number << 3) | delimited);
    this.varint(bytes.length);
    this.#push(bytes);
  }

  text(number: number, text: string): void {
    this.blob(number, Buffer.from(text));
  }

  group(number: number, write: (group: Writer) => void): void {
    const group = new Writer();
    write(group);
    this.blob(number, group.bytes());
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts, this.#length);
  }

  #push(bytes: Uint8Array): void {
    this.#parts.push(bytes);
    this.#length += bytes.length;
  }
}

function readMessage(
  reader: Reader,
  message: Message,
  messages: Messages,
  depth: number,
): Record<string, unknown> {
  if (depth > maximumDepth) throw new RangeError('The message is nested too deeply.');
  const value = Object.fromEntries(
    message.filter(({ label }) => label !== 'one').map((field) => [field.name, defaultOf(field)]),
  );
  while (!reader.done) {
    const key = reader.varint();
    const field = message.find(({ number }) => number === Math.floor(key / 8));
    const kind = key % 8;
    if (!field || kind !== kindOf(field)) {
      reader.skip(kind);
      continue;
    }
    if (field.label === 'map') {
      const [name, item] = readEntry(reader.inner(), field, messages, depth);
      (value[field.name] as Record<string, unknown>)[name] = item;
      continue;
    }
    const item = readField(reader, field, messages, depth);
    if (field.label === 'repeated') (value[field.name] as unknown[]).push(item);
    else value[field.name] = item;
  }
  return value;
}

function readEntry(reader: Reader, field: Field, messages: Messages, depth: number): [string, unknown] {
  const item: Field = { ...field, name: 'value', number: 2, label: 'single' };
  const key: Field = { name: 'key', number: 1, type: 'string', label: 'single' };
  const entry = readMessage(reader, [key, item], messages, depth + 1);
  return [String(entry.key), entry.value];
}

function kindOf({ type, label }: Field): number {
  return label !== 'map' && ['bool', 'int32', 'int64'].includes(type) ? varint : delimited;
}

function defaultOf({ type, label }: Field): unknown {
  if (label === 'repeated') return [];
  if (label === 'map') return Object.create(null);
  if (type === 'string') return '';
  if (type === 'bytes') return Buffer.alloc(0);
  if (type === 'bool') return false;
  return type === 'int32' || type === 'int64' ? 0 : null;
}

function readField(reader: Reader, { type }: Field, messages: Messages, depth: number): unknown {
  if (type === 'string') return reader.text();
  if (type === 'bytes') return reader.blob();
  if (type === 'bool') return reader.varint() !== 0;
  if (type === 'int32' || type === 'int64') return reader.varint();
  return readMessage(reader.inner(), named(messages, type), messages, depth + 1);
}

class Reader {
  #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** A whole number as a signed 64-bit integer says it; rounded beyond 2^53. */
  varint(): number {
    const first = this.#bytes[this.#at];
    if (first !== undefined && first < 0x80) {
      this.#at += 1;
      return first;
    }
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw new RangeError('The message ends within a number.');
      this.#at += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(BigInt.asIntN(64, value));
    }
    throw new RangeError('A number in the message has more than ten bytes.');
  }

  blob(): Buffer {
    const length = this.varint();
    const end = this.#at + length;
    if (length < 0 || end > this.#bytes.length) throw new RangeError('The message ends within a field.');
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  text(): string {
    return this.blob().toString('utf8');
  }

  inner(): Reader {
    return new Reader(this.blob());
  }

  skip(kind: number): void {
    if (kind === varint) this.varint();
    else if (kind === delimited) this.blob();
    else if (kind === fixed64) this.#at += 8;
    else if (kind === fixed32) this.#at += 4;
    else throw new RangeError(`The message has a field of the unknown kind ${kind}.`);
    if (this.#at > this.#bytes.length) throw new RangeError('The message ends within a field.');
  }
}
