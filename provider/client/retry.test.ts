import assert from 'node:assert/strict';
import { test } from 'node:test';
import { retryAfter } from '../../contract/retry-after.ts';
import { ApiUnreachableError } from './api-error.ts';
import { RetryableError, retry } from './retry.ts';

const reason = new ApiUnreachableError('GET /', new Error('connection refused'));

function recorder(failures: number, wait?: number) {
  const waits: number[] = [];
  let calls = 0;
  const operation = async () => {
    calls += 1;
    if (calls <= failures) throw new RetryableError(reason, wait);
    return calls;
  };
  const sleep = async (milliseconds: number) => {
    waits.push(milliseconds);
  };
  const parts = { attempts: 7, signal: new AbortController().signal, sleep, random: () => 1 };
  return { waits, run: () => retry(operation, parts) };
}

test('the wait doubles from half a second to ten', async () => {
  const { waits, run } = recorder(6);
  assert.equal(await run(), 7);
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 10_000]);
});

test('after the last attempt the reason is thrown', async () => {
  const { run } = recorder(7);
  await assert.rejects(run(), reason);
});

test('the server says how long to wait, up to a minute', async () => {
  const { waits, run } = recorder(1, 3000);
  await run();
  assert.deepEqual(waits, [3000]);
  const long = recorder(1, 3_600_000);
  await long.run();
  assert.deepEqual(long.waits, [60_000]);
});

test('an earlier attempt that is in progress is waited for, up to a minute and a half', async () => {
  const waits: number[] = [];
  let calls = 0;
  const operation = async () => {
    calls += 1;
    if (calls <= 70) throw new RetryableError(reason, 1000, 'earlier_attempt');
    return calls;
  };
  const sleep = async (milliseconds: number) => void waits.push(milliseconds);
  const { signal } = new AbortController();
  assert.equal(await retry(operation, { attempts: 2, signal, sleep }), 71);
  assert.equal(waits.length, 70);
  calls = -100;
  await assert.rejects(retry(operation, { attempts: 2, signal, sleep }), reason);
});

test('the limits of a source host are waited for, for two hours at most', async () => {
  let calls = 0;
  const sleep = async () => {};
  const { signal } = new AbortController();
  const operation = async () => {
    calls += 1;
    if (calls <= 100) throw new RetryableError(reason, 60_000, 'limit');
    return calls;
  };
  assert.equal(await retry(operation, { attempts: 2, signal, sleep }), 101);
  calls = -100;
  await assert.rejects(retry(operation, { attempts: 2, signal, sleep }), reason);
});

test('what is not retryable is thrown at once', async () => {
  const { signal } = new AbortController();
  let calls = 0;
  const operation = async () => {
    calls += 1;
    throw new TypeError('a bug');
  };
  await assert.rejects(retry(operation, { attempts: 7, signal }), /a bug/);
  assert.equal(calls, 1);
});

test('an abort ends the wait', async () => {
  const controller = new AbortController();
  const operation = async () => {
    controller.abort();
    throw new RetryableError(reason, 60_000);
  };
  await assert.rejects(retry(operation, { attempts: 7, signal: controller.signal }), { name: 'AbortError' });
});

test('Retry-After is seconds or a date', () => {
  const now = new Date('2026-11-23T12:00:00Z');
  assert.equal(retryAfter('5', now), 5000);
  assert.equal(retryAfter('Mon, 23 Nov 2026 12:00:30 GMT', now), 30_000);
  assert.equal(retryAfter('Mon, 23 Nov 2026 11:00:00 GMT', now), 0);
  assert.equal(retryAfter('soon', now), undefined);
  assert.equal(retryAfter(null, now), undefined);
});
