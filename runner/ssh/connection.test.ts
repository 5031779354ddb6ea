import assert from 'node:assert/strict';
import { type AddressInfo, connect as connectSocket, createServer, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { makeSshKeyPair } from '../vm/openssh-private-key.ts';
import { type ConnectOptions, connect } from './connection.ts';
import { type LoopbackSshd, startLoopbackSshd } from './loopback-sshd.ts';

const key = makeSshKeyPair();
const stranger = makeSshKeyPair();
let sshd: LoopbackSshd;
let target: ConnectOptions;

before(async () => {
  sshd = await startLoopbackSshd({ authorizedKeys: [key.publicLine] });
  target = {
    host: '127.0.0.1',
    port: sshd.port,
    username: sshd.user,
    privateKey: key.privateKey,
    hostKey: sshd.hostKey,
    timeoutMs: 30_000,
  };
});
after(() => sshd.close());

test('a command gives its output, its errors and its exit code', async () => {
  const session = await connect(target);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  const result = await session.exec('echo out; echo err >&2; exit 7', {
    onStdout: (chunk) => void out.push(chunk),
    onStderr: (chunk) => void err.push(chunk),
  });
  assert.deepEqual(result, { code: 7, signal: null });
  assert.equal(Buffer.concat(out).toString(), 'out\n');
  assert.equal(Buffer.concat(err).toString(), 'err\n');
  await session.close();
});

test('a command that is killed reports the signal', async () => {
  const session = await connect(target);
  assert.deepEqual(await session.exec('kill -TERM $$'), { code: null, signal: 'TERM' });
  await session.close();
});

test('a command that leaves something running is waited for until that has let go of its output', async () => {
  const session = await connect(target);
  const out: Buffer[] = [];
  const onStdout = (chunk: Buffer) => void out.push(chunk);
  const waited = await session.exec('(sleep 0.2; echo later) & echo now; exit 3', { onStdout });
  assert.deepEqual(waited, { code: 3, signal: null });
  assert.equal(Buffer.concat(out).toString(), 'now\nlater\n');
  await session.close();
});

test('standard input comes from a buffer or a stream, and is empty without one', async () => {
  const session = await connect(target);
  const echo = async (stdin?: Buffer | Readable) => {
    const out: Buffer[] = [];
    await session.exec('cat', { ...(stdin && { stdin }), onStdout: (chunk) => void out.push(chunk) });
    return Buffer.concat(out).toString();
  };
  assert.equal(await echo(Buffer.from('from a buffer')), 'from a buffer');
  assert.equal(await echo(Readable.from([Buffer.from('from '), Buffer.from('a stream')])), 'from a stream');
  assert.equal(await echo(), '');
  await session.close();
});

test('a command may end without reading its input', async () => {
  const session = await connect(target);
  const endless = Readable.from(
    (function* () {
      while (true) yield Buffer.alloc(65_536);
    })(),
  );
  assert.deepEqual(await session.exec('exit 3', { stdin: endless }), { code: 3, signal: null });
  assert.ok(endless.destroyed);
  await session.close();
});

test('output that is taken slowly arrives whole and in order, one chunk at a time', async () => {
  const session = await connect(target);
  let bytes = 0;
  let busy = 0;
  let last = -1;
  let line = '';
  await session.exec('seq 0 599999', {
    async onStdout(chunk) {
      busy += 1;
      assert.equal(busy, 1);
      await new Promise((resolve) => setImmediate(resolve));
      bytes += chunk.length;
      const lines = (line + chunk.toString()).split('\n');
      line = lines.pop() ?? '';
      for (const number of lines) {
        last += 1;
        if (Number(number) !== last) assert.fail(`${number} came instead of ${last}`);
      }
      busy -= 1;
    },
  });
  assert.equal(last, 599_999);
  assert.ok(bytes > 2 ** 21, 'more than the window of a channel');
  await session.close();
});

test('output and errors of many megabytes that nobody takes do not stall the command', async () => {
  const session = await connect(target);
  const flood = 'head -c 20000000 /dev/zero >&2; head -c 20000000 /dev/zero';
  assert.deepEqual(await session.exec(flood), { code: 0, signal: null });
  await session.close();
});

test('an error of a taker ends the command with that error', async () => {
  const session = await connect(target);
  await assert.rejects(
    session.exec('while true; do echo more; done', {
      onStdout: async () => {
        throw new Error('disk full');
      },
    }),
    { message: 'disk full' },
  );
  assert.deepEqual(await session.exec('exit 0'), { code: 0, signal: null });
  await session.close();
});

test('a command can be aborted and the session goes on', async () => {
  const session = await connect(target);
  const stop = new AbortController();
  const running = session.exec('echo started; sleep 600', {
    signal: stop.signal,
    onStdout: () => stop.abort(),
  });
  await assert.rejects(running, { code: 'aborted' });
  await assert.rejects(session.exec('true', { signal: stop.signal }), { code: 'aborted' });
  assert.deepEqual(await session.exec('true'), { code: 0, signal: null });
  await session.close();
});

test('closing the session ends a running command with connection_lost', async () => {
  const session = await connect(target);
  const running = session.exec('echo started; sleep 600', { onStdout: () => void session.close() });
  await assert.rejects(running, { code: 'connection_lost' });
  assert.ok(session.closed.aborted);
  await assert.rejects(session.exec('true'), { code: 'connection_lost' });
});

test('another host key than the pinned one is refused before the login', async () => {
  await assert.rejects(connect({ ...target, hostKey: stranger.publicBlob }), {
    code: 'host_key_mismatch',
  });
});

test('a server without an ed25519 host key is refused', async () => {
  const other = await startLoopbackSshd({ authorizedKeys: [key.publicLine], hostKeyType: 'ecdsa' });
  await assert.rejects(connect({ ...target, port: other.port, hostKey: other.hostKey }), {
    code: 'host_key_mismatch',
  });
  await other.close();
});

test('a key that the server does not know is auth_failed', async () => {
  await assert.rejects(connect({ ...target, privateKey: stranger.privateKey }), { code: 'auth_failed' });
});

test('a server that freezes ends the running command with connection_lost', async () => {
  const { server, port } = await listen((socket) => {
    const inner = connectSocket(sshd.port, '127.0.0.1').on('error', () => {});
    socket.pipe(inner).pipe(socket);
    socket.on('close', () => inner.destroy());
    freeze = () => void socket.unpipe(inner);
  });
  let freeze = () => {};
  const session = await connect({ ...target, port, keepaliveIntervalMs: 100 });
  const running = session.exec('echo started; sleep 600', { onStdout: () => freeze() });
  await assert.rejects(running, { code: 'connection_lost' });
  await session.close();
  server.close();
});

test('a silent server is a timeout, a closing one is connection_lost', async () => {
  const silent = await listen(() => {});
  const closing = await listen((socket) => socket.end());
  await assert.rejects(connect({ ...target, port: silent.port, timeoutMs: 50 }), { code: 'timeout' });
  await assert.rejects(connect({ ...target, port: closing.port }), { code: 'connection_lost' });
  silent.server.close();
  await new Promise((resolve) => closing.server.close(resolve));
  await assert.rejects(connect({ ...target, port: closing.port }), { code: 'connection_lost' });
});

test('connecting can be aborted, before and meanwhile', async () => {
  const stop = new AbortController();
  const { server, port } = await listen(() => stop.abort());
  await assert.rejects(connect({ ...target, port, signal: stop.signal }), { code: 'aborted' });
  await assert.rejects(connect({ ...target, signal: stop.signal }), { code: 'aborted' });
  server.close();
});

async function listen(onConnection: (socket: Socket) => void) {
  const server = createServer((socket) => onConnection(socket.on('error', () => {}).resume()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as AddressInfo).port };
}
