import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Readable, Writable } from 'node:stream';
import { test } from 'node:test';
import type { SshSession } from '../ssh/connection.ts';
import { keepAlive } from './heartbeat.ts';

/** A connection that collects what its one command is sent, until that ends or `cut` is called. */
function recordingConnection() {
  let cut = () => {};
  const seen = { command: '', lines: 0, ended: false };
  const connection: SshSession = {
    closed: new AbortController().signal,
    close: async () => {},
    exec: async (command, { stdin } = {}) => {
      seen.command = command;
      const input = stdin as Readable;
      const sink = new Writable({
        write(chunk: Buffer, _, done) {
          seen.lines += chunk.toString().split('\n').length - 1;
          done();
        },
      });
      const lost = new Promise<never>((_, reject) => {
        cut = () => reject(new Error('connection lost'));
      });
      input.pipe(sink);
      await Promise.race([once(sink, 'finish'), lost]);
      seen.ended = true;
      return { code: 0, signal: null };
    },
  };
  return { connection, seen, cut: () => cut() };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
}

test('a line is sent at once and every 5 s, until it is stopped', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { connection, seen } = recordingConnection();
  const heartbeat = keepAlive(connection);
  await settle();
  assert.deepEqual(seen, { command: '/usr/lib/ebb/heartbeat', lines: 1, ended: false });
  t.mock.timers.tick(15_000);
  await settle();
  assert.equal(seen.lines, 4);
  heartbeat.stop();
  t.mock.timers.tick(15_000);
  await settle();
  assert.deepEqual(seen, { command: '/usr/lib/ebb/heartbeat', lines: 4, ended: true });
});

test('a lost connection ends it without an error, and it may still be stopped', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { connection, cut } = recordingConnection();
  const heartbeat = keepAlive(connection);
  await settle();
  cut();
  await settle();
  t.mock.timers.tick(15_000);
  heartbeat.stop();
  await settle();
});
