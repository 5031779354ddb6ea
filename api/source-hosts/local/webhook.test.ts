import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { parseLocalWebhook, webhookHeaders } from './webhook.ts';

const secret = randomBytes(32);
const commit = 'a'.repeat(40);
const push = {
  event: 'push',
  delivery: 'id-1',
  repository: 'shop',
  ref: 'refs/heads/main',
  before: '0'.repeat(40),
  after: commit,
  deleted: false,
  head_commit: { id: commit, message: 'First', author: { name: 'Ada', email: 'ada@example.com' } },
};

function parse(payload: unknown, changes: Record<string, string | undefined> = {}) {
  const body = Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload));
  return parseLocalWebhook({
    headers: { ...webhookHeaders('id-1', body, secret), ...changes },
    body,
    secret,
  });
}

function codeOf(result: ReturnType<typeof parse>) {
  return 'code' in result ? result.code : result.event;
}

test('a signed push is understood', () => {
  assert.deepEqual(parse(push), {
    event: 'push',
    delivery: 'id-1',
    repository: 'shop',
    ref: 'refs/heads/main',
    before: '0'.repeat(40),
    commit,
    deleted: false,
    message: 'First',
    author: 'Ada',
    skip: false,
  });
});

test('a push of a tag gives its ref; its commit is the one the tag names', () => {
  const result = parse({ ...push, ref: 'refs/tags/v1', after: 'b'.repeat(40) });
  assert.ok('ref' in result);
  assert.equal(result.ref, 'refs/tags/v1');
  assert.equal(result.commit, commit);
});

test('a deleted branch has no message', () => {
  const result = parse({ ...push, after: '0'.repeat(40), deleted: true, head_commit: null });
  assert.ok('deleted' in result);
  assert.deepEqual([result.deleted, result.message, result.author], [true, '', '']);
});

test('authentic events that start nothing are no refusals', () => {
  assert.deepEqual(parse({ ...push, event: 'ping' }), {
    event: 'ping',
    delivery: 'id-1',
    repository: 'shop',
  });
  assert.equal(codeOf(parse({ ...push, event: 'release' })), 'other');
  assert.equal(codeOf(parse({ ...push, event: undefined })), 'other');
});

test('event and id are those that are signed, whatever the headers say', () => {
  const result = parse(push, { 'x-ebb-event': 'ping', 'x-ebb-delivery': 'id-2' });
  assert.ok('event' in result);
  assert.deepEqual([result.event, result.delivery], ['push', 'id-1']);
});

test('a signature that is missing, of another form or of another secret is refused', () => {
  assert.equal(codeOf(parse(push, { 'x-hub-signature-256': undefined })), 'signature_missing');
  const body = Buffer.from(JSON.stringify(push));
  const good = webhookHeaders('id-1', body, secret)['x-hub-signature-256'] ?? '';
  const bad = [
    '',
    'sha256=',
    good.slice(0, -1),
    `${good}00`,
    good.toUpperCase(),
    good.replace('sha256=', 'sha1='),
  ];
  const others = [secret.subarray(1), randomBytes(32)].map(
    (key) => webhookHeaders('id-1', body, key)['x-hub-signature-256'],
  );
  for (const signature of [...bad, ...others]) {
    assert.equal(codeOf(parse(push, { 'x-hub-signature-256': signature })), 'signature_invalid', signature);
  }
});

test('an empty secret verifies nothing', () => {
  const empty = Buffer.alloc(0);
  const body = Buffer.from(JSON.stringify(push));
  assert.equal(
    codeOf(parseLocalWebhook({ headers: webhookHeaders('id-1', body, empty), body, secret: empty })),
    'signature_invalid',
  );
});

test('a body that is too large is refused', () => {
  assert.equal(codeOf(parse({ ...push, padding: 'x'.repeat(300_000) })), 'too_large');
});

test('signed nonsense is malformed', () => {
  const nonsense: unknown[] = [
    'no json',
    'null',
    '[]',
    '"text"',
    {},
    { ...push, repository: '../shop' },
    { ...push, repository: undefined },
    { ...push, ref: 'main' },
    { ...push, ref: 'refs/heads/a b' },
    { ...push, delivery: undefined },
    { ...push, delivery: 'a b' },
    { ...push, ref: 7 },
    { ...push, before: 'abc' },
    { ...push, after: `${commit}g` },
    { ...push, deleted: 'no' },
  ];
  for (const payload of nonsense) assert.equal(codeOf(parse(payload)), 'malformed', JSON.stringify(payload));
});
