import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import { MessageChannel } from 'node:worker_threads';
import pino from 'pino';
import { OpenedSecret } from './opened-secret.ts';

const text = 'hush-hush-hush';
const open = () => new OpenedSecret(Buffer.from(text));
/** The ways in which bytes would show in a text. */
const forms = [text, Buffer.from(text).toString('hex'), Buffer.from(text).toString('base64'), '104, 117'];

test('an opened secret gives its bytes to who uses it, and nothing once it is wiped', () => {
  const bytes = Buffer.from(text);
  const secret = new OpenedSecret(bytes);
  assert.equal(
    secret.use((given) => given.toString()),
    text,
  );
  secret.wipe();
  assert.ok(bytes.every((byte) => byte === 0));
  assert.throws(() => secret.use((given) => given.toString()), /wiped/);
  secret.wipe();
});

test('an opened secret shows a placeholder wherever it is logged, inspected or made a text', () => {
  const secret = open();
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(line) });
  log.info({ secret, nested: [{ secret }] }, 'said');
  const shown = [
    lines.join(''),
    String(secret),
    `${secret}`,
    JSON.stringify({ secret }),
    inspect(secret, { depth: 9, showHidden: true }),
    inspect({ secret }, { customInspect: false, showHidden: true }),
    inspect(new Error('failed', { cause: secret })),
  ];
  for (const line of shown) for (const form of forms) assert.ok(!line.includes(form), line);
  for (const line of shown.slice(0, 5)) assert.match(line, /\[opened secret\]/);
});

test('an opened secret is empty when it is spread or copied', () => {
  const secret = open();
  assert.deepEqual({ ...secret }, {});
  assert.deepEqual(Object.assign({}, secret), {});
  assert.deepEqual(Object.entries(secret), []);
  assert.deepEqual(Reflect.ownKeys(secret), []);
  assert.deepEqual(deserialize(serialize(secret)), {});
});

test('an opened secret is neither cloned nor posted to another thread', () => {
  const { port1, port2 } = new MessageChannel();
  const uncloneable = { name: 'DataCloneError' };
  assert.throws(() => structuredClone(open()), uncloneable);
  assert.throws(() => structuredClone({ deep: [open()] }), uncloneable);
  assert.throws(() => port1.postMessage(open()), uncloneable);
  port1.close();
  port2.close();
});
