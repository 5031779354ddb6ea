import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Type } from 'typebox';
import { type ConfigurationError, readEnvironment } from './environment.ts';

const folder = mkdtempSync(join(tmpdir(), 'ebb-environment-'));
after(() => rmSync(folder, { recursive: true }));

const schema = Type.Object({
  URL: Type.String({ format: 'uri', description: 'Where it is.' }),
  SLOTS: Type.Integer({ minimum: 1, default: 2 }),
  KEY: Type.Optional(Type.String()),
});

test('text becomes numbers and what is absent takes its default', () => {
  assert.deepEqual(readEnvironment(schema, { URL: 'http://a', SLOTS: '7' }), { URL: 'http://a', SLOTS: 7 });
  assert.deepEqual(readEnvironment(schema, { URL: 'http://a' }), { URL: 'http://a', SLOTS: 2 });
});

test('a secret can come from a file', () => {
  writeFileSync(join(folder, 'key'), 'hush\n');
  assert.equal(readEnvironment(schema, { URL: 'http://a', KEY_FILE: join(folder, 'key') }).KEY, 'hush');
});

test('all problems are named at once, without the values', () => {
  assert.throws(
    () => readEnvironment(schema, { SLOTS: '0', KEY: 'hush', KEY_FILE: '/nowhere' }),
    (error: ConfigurationError) => {
      assert.equal(error.problems.length, 3);
      assert.match(error.message, /URL is not set. Where it is/);
      assert.match(error.message, /SLOTS must be >= 1/);
      assert.match(error.message, /KEY and KEY_FILE are both set/);
      assert.doesNotMatch(error.message, /hush/);
      return true;
    },
  );
});
