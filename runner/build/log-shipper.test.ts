import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createLogShipper } from './log-shipper.ts';

/** Takes what is sent as the API does: whole, in order, at the right offset. */
function receiver(options: { from?: number; failAfter?: number; gate?: Promise<void> } = {}) {
  const { from = 0, failAfter = Number.POSITIVE_INFINITY } = options;
  const parts: Buffer[] = [];
  const taken = () => Buffer.concat(parts);
  return {
    taken,
    sizes: () => parts.map(({ length }) => length),
    send: async (offset: number, data: Buffer) => {
      await options.gate;
      if (parts.length >= failAfter) throw new Error('The log is full.');
      assert.equal(offset, from + taken().length);
      parts.push(Buffer.from(data));
    },
  };
}
const open = (to: ReturnType<typeof receiver>, from = 0, signal = new AbortController().signal) =>
  createLogShipper({ from, send: to.send, signal });

describe('a log shipper', () => {
  test('carries everything in order, from the offset where the log ended before', async () => {
    const api = receiver({ from: 77 });
    const shipper = open(api, 77);
    const lines = Array.from({ length: 500 }, (_, index) => `line ${index}\n`);
    for (const line of lines) await shipper.write(Buffer.from(line));
    await shipper.end();
    assert.equal(api.taken().toString(), lines.join(''));
  });

  test('sends many small lines in few calls', async () => {
    const api = receiver();
    const shipper = open(api);
    for (let index = 0; index < 1000; index++) await shipper.write(Buffer.from('x\n'));
    await shipper.end();
    assert.ok(api.sizes().length < 10, `${api.sizes().length} calls`);
  });

  test('sends no more than 1 MiB at once', async () => {
    const api = receiver();
    const shipper = open(api);
    await shipper.write(Buffer.alloc(2_500_000, 'a'));
    await shipper.end();
    assert.equal(api.taken().length, 2_500_000);
    assert.ok(api.sizes().every((size) => size <= 1024 * 1024));
  });

  test('holds back who writes faster than the API takes', async () => {
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const api = receiver({ gate });
    const shipper = open(api);
    await shipper.write(Buffer.alloc(1_000_000));
    let written = false;
    const write = shipper.write(Buffer.alloc(2_500_000)).then(() => {
      written = true;
    });
    await new Promise(setImmediate);
    assert.equal(written, false);
    release();
    await write;
    await shipper.end();
    assert.equal(api.taken().length, 3_500_000);
  });

  test('tells at the end that the API refused the log, and does not hold up the build until then', async () => {
    const api = receiver({ failAfter: 1 });
    const shipper = open(api);
    await shipper.write(Buffer.alloc(300_000));
    await shipper.write(Buffer.alloc(3_000_000));
    await shipper.write(Buffer.alloc(3_000_000));
    await assert.rejects(shipper.end(), /The log is full/);
  });

  test('an empty log needs no call', async () => {
    const api = receiver();
    const shipper = open(api);
    await shipper.write(Buffer.alloc(0));
    await shipper.end();
    assert.deepEqual(api.sizes(), []);
  });

  test('keeps with each call where its last chunk stood, and tells each chunk once it is there', async () => {
    const calls: (string | undefined)[] = [];
    const kept: string[] = [];
    const mark = (cursor: string) => ({ cursor, kept: () => void kept.push(cursor) });
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const shipper = createLogShipper({
      from: 0,
      async send(_, data, __, cursor) {
        calls.push(cursor);
        if (data.includes('b')) await gate;
      },
      signal: new AbortController().signal,
    });
    await shipper.write(Buffer.from('a'), mark('after a'));
    await shipper.sync();
    assert.deepEqual(kept, ['after a']);
    await shipper.write(Buffer.from('b'), mark('after b'));
    await shipper.write(Buffer.from('c'), mark('after c'));
    await shipper.write(Buffer.alloc(0), mark('dropped'));
    const end = shipper.end();
    await new Promise(setImmediate);
    assert.deepEqual(kept, ['after a'], 'not before it is there');
    release();
    await end;
    assert.deepEqual(
      [calls, kept],
      [
        ['after a', 'dropped'],
        ['after a', 'after b', 'after c', 'dropped'],
      ],
    );
  });

  test('cuts a call between chunks, so that what is kept with it is true', async () => {
    const calls: [number, string | undefined][] = [];
    const shipper = createLogShipper({
      from: 0,
      send: async (_, data, __, cursor) => void calls.push([data.length, cursor]),
      signal: new AbortController().signal,
    });
    for (const cursor of ['1', '2', '3'])
      await shipper.write(Buffer.alloc(600_000), { cursor, kept: () => {} });
    await shipper.end();
    assert.deepEqual(calls, [
      [600_000, '1'],
      [600_000, '2'],
      [600_000, '3'],
    ]);
  });
});
