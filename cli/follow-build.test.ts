import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import type { Client } from './client.ts';
import { followBuild } from './follow-build.ts';

/** Answers each request for the stream with the next of these. */
function clientOf(answers: ((stream: ReadableStreamDefaultController<Uint8Array>) => unknown)[]) {
  const asked: Record<string, string>[] = [];
  const stream: Client['stream'] = async (_path, headers) => {
    asked.push(headers);
    return new Response(
      new ReadableStream({ start: (controller) => void answers[asked.length - 1]?.(controller) }),
    );
  };
  return { client: { stream } as Client, asked };
}
const text = (words: string) => new TextEncoder().encode(words);
const settled = () => new Promise((resolve) => setImmediate(resolve));
const end = text('event: build\ndata: {"state":"passed"}\n\nevent: end\ndata: {}\n\n');

test('a build that waits for long is followed on when the connection is lost, because heartbeats told that it lasted', async (t) => {
  mock.timers.enable({ apis: ['Date'], now: 0 });
  t.after(() => mock.timers.reset());
  const { client } = clientOf([
    async (stream) => {
      for (const _ of [1, 2]) {
        mock.timers.setTime(Date.now() + 25_000);
        stream.enqueue(text(': still here\n\n'));
        await settled();
      }
      mock.timers.setTime(Date.now() + 25_000);
      stream.error(new Error('The connection was lost.'));
    },
    (stream) => stream.enqueue(end),
  ]);
  const build = await followBuild(client, 'bld_1', {}, new AbortController().signal);
  assert.equal(build.state, 'passed');
});

test('a stream that the API ends before the build does, as with the token, goes on where it was', async () => {
  const { client, asked } = clientOf([
    (stream) => {
      stream.enqueue(text('event: log\nid: 5\ndata: {"offset":0,"text":"Hello"}\n\n'));
      stream.close();
    },
    (stream) => stream.enqueue(end),
  ]);
  let log = '';
  await followBuild(client, 'bld_1', { log: (part) => (log += part) }, new AbortController().signal);
  assert.equal(log, 'Hello');
  assert.deepEqual(
    asked.map((headers) => headers['last-event-id']),
    [undefined, '5'],
  );
});
