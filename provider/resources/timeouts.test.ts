import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '../client/api-error.ts';
import type { ApiRequest, Client } from '../client/client.ts';
import { isObject } from '../client/send.ts';
import { DiagnosticError } from '../plugin/diagnostic.ts';
import { inTime, timeoutOf, validateTimeouts } from './timeouts.ts';

test('durations are those that Terraform users know', () => {
  const create = (text: string) => timeoutOf({ create: text, update: null, delete: null }, 'create');
  assert.equal(create('30s'), 30_000);
  assert.equal(create('1h30m'), 5_400_000);
  assert.equal(create('1.5m'), 90_000);
  assert.equal(create('250ms'), 250);
  assert.equal(timeoutOf(null, 'create'), undefined);
  assert.equal(timeoutOf({ create: null, update: null, delete: '5m' }, 'create'), undefined);
});

test('what is no duration is told at its attribute, with what one looks like', () => {
  for (const text of ['', '10', '0s', '-5m', '5 minutes', '1d', '600h', 'm']) {
    const [problem] = validateTimeouts({ create: '10m', update: text, delete: null });
    assert.deepEqual(problem?.path, ['timeouts', 'update'], text);
    assert.match(problem?.detail ?? '', /such as 30s, 10m or 1h30m, above zero and up to 500h/);
  }
  assert.deepEqual(validateTimeouts({ create: '10m', update: null, delete: '500h' }), []);
  assert.deepEqual(validateTimeouts(null), []);
});

const order = (request: Client['request'], stop = new AbortController()) => ({
  declared: { create: '30ms', update: null, delete: null },
  operation: 'create' as const,
  client: { request } as Client,
  signal: stop.signal,
});
const path = { method: 'POST', path: '/v1/projects', isAnswer: isObject } as const;
const never = async ({ signal }: ApiRequest) => {
  await sleep(60_000, undefined, signal ? { signal } : {});
  assert.fail('not reached');
};

test('an operation that takes longer ends with what to raise', async () => {
  await assert.rejects(
    inTime(order(never), ({ client }) => client.request(path)),
    (error: unknown) => {
      assert.ok(error instanceof DiagnosticError);
      assert.deepEqual(error.diagnostics[0]?.path, ['timeouts', 'create']);
      assert.match(error.message, /has not ended it within 30ms and may still do so.*raise timeouts\.create/);
      return true;
    },
  );
});

test('what the API said in time, or just after it, is told as it is', async () => {
  const refused = new ApiError(422, { detail: 'No.' });
  const late = async () => {
    await sleep(60);
    throw refused;
  };
  await assert.rejects(
    inTime(order(late), ({ client }) => client.request(path)),
    refused,
  );
});

test('a stop by Terraform is no timeout', async () => {
  const stop = new AbortController();
  // The client ends by itself then.
  const stopped = () => never({ signal: stop.signal } as ApiRequest);
  const ended = inTime({ ...order(stopped, stop), declared: { create: '1h' } }, ({ client }) =>
    client.request(path),
  );
  stop.abort();
  await assert.rejects(ended, { name: 'AbortError' });
});
