import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { LetGo } from '../runner/build/build-end.ts';
import { handOverSignal } from './hand-over.ts';

test('a runner hands over when it is asked to, and not when it is asked to stop', () => {
  const [stop, asked] = [new AbortController(), new AbortController()];
  const handOver = handOverSignal({ stop: stop.signal, asked: asked.signal });
  stop.abort();
  assert.equal(handOver.aborted, false);
  asked.abort();
  assert.ok(handOver.reason instanceof LetGo);
});

test('a runner that drains for a time hands over when that is up', async () => {
  const [stop, asked] = [new AbortController(), new AbortController()];
  const handOver = handOverSignal({ stop: stop.signal, asked: asked.signal, drainSeconds: 0 });
  // The runner's own timer keeps no process alive.
  const alive = setTimeout(() => {}, 60_000);
  const aborted = once(handOver, 'abort');
  stop.abort();
  await aborted;
  clearTimeout(alive);
  assert.ok(handOver.reason instanceof LetGo);
});
