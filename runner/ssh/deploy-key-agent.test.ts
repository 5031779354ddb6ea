import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes, sign as signBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect as connectSocket, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { authenticationData, signMessage } from './agent-messages-for-tests.ts';
import { type AgentEvent, createDeployKeyAgent, type DeployKeyAgentOptions } from './deploy-key-agent.ts';
import { makeEd25519, type TestKey } from './ed25519-for-tests.ts';
import { type LoopbackSshd, startLoopbackSshd } from './loopback-sshd.ts';
import { publicKeyLine } from './public-key-line.ts';
import { WireReader, wireString, wireUint32 } from './wire.ts';

const deployKey = makeEd25519();
let folder: string;
let pinned: LoopbackSshd;
let unpinned: LoopbackSshd;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-agent-'));
  const authorizedKeys = [publicKeyLine(deployKey.blob)];
  pinned = await startLoopbackSshd({ authorizedKeys });
  unpinned = await startLoopbackSshd({ authorizedKeys });
});
after(async () => {
  await Promise.all([pinned.close(), unpinned.close()]);
  await rm(folder, { recursive: true });
});

describe('with the real ssh client', () => {
  test('signs for the pinned host, with the host in the signed data', async () => {
    const agent = await serveAgent();
    assert.deepEqual(await ssh(agent, pinned), { code: 0, out: 'in\n' });
    assert.deepEqual(agent.events, [{ type: 'signed', signs: 1 }]);
    await agent.close();
  });

  test('signs for the pinned host without the host in the signed data, by the session alone', async () => {
    const agent = await serveAgent();
    assert.equal((await ssh(agent, pinned, ['-o', 'PubkeyAuthentication=unbound'])).code, 0);
    await agent.close();
  });

  for (const hostKeyType of ['rsa', 'ecdsa'] as const) {
    test(`signs for a pinned host with an ${hostKeyType} key`, async () => {
      const host = await startLoopbackSshd({ authorizedKeys: [publicKeyLine(deployKey.blob)], hostKeyType });
      const agent = await serveAgent({ hostKeys: [host.hostKey] });
      assert.equal((await ssh(agent, host)).code, 0);
      await Promise.all([agent.close(), host.close()]);
    });
  }

  test('refuses a host that is not pinned though it knows the key', async () => {
    const agent = await serveAgent();
    for (const option of ['PubkeyAuthentication=yes', 'PubkeyAuthentication=unbound']) {
      assert.equal((await ssh(agent, unpinned, ['-o', option])).code, 255);
    }
    assert.equal(agent.signs, 0);
    assert.deepEqual(agent.codes(), [
      'bind_host_not_pinned',
      'host_not_pinned',
      'bind_host_not_pinned',
      'not_bound',
    ]);
    await agent.close();
  });

  test('refuses the pinned host with another user', async () => {
    const agent = await serveAgent({ user: 'git' });
    assert.equal((await ssh(agent, pinned)).code, 255);
    assert.deepEqual(agent.codes(), ['wrong_user']);
    await agent.close();
  });

  test('signs no more often than it may', async () => {
    const agent = await serveAgent({ maxSigns: 2 });
    assert.equal((await ssh(agent, pinned)).code, 0);
    assert.equal((await ssh(agent, pinned)).code, 0);
    assert.equal((await ssh(agent, pinned)).code, 255);
    assert.equal(agent.signs, 2);
    assert.deepEqual(agent.codes(), ['limit_reached']);
    await agent.close();
  });

  test('signs nothing after it is revoked', async () => {
    const agent = await serveAgent();
    agent.revoke();
    assert.equal((await ssh(agent, pinned)).code, 255);
    assert.equal(agent.signs, 0);
    assert.deepEqual(agent.codes(), ['revoked']);
    await agent.close();
  });

  test('signs no file (SSHSIG) and takes no key', async () => {
    const agent = await serveAgent();
    const keyFile = join(folder, 'public.pub');
    await run('sh', ['-c', `echo '${publicKeyLine(deployKey.blob)}' > ${keyFile}`], agent);
    await assert.rejects(run('sh', ['-c', `echo data | ssh-keygen -Y sign -n file -f ${keyFile}`], agent));
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'other')], agent);
    await assert.rejects(run('ssh-add', [join(folder, 'other')], agent));
    assert.match((await run('ssh-add', ['-L'], agent)).stdout, /^ssh-ed25519 \S+ deploy key\n$/);
    assert.equal(agent.signs, 0);
    assert.ok(agent.codes().includes('not_an_authentication'));
    assert.ok(agent.codes().includes('unknown_request'));
    await agent.close();
  });
});

describe('with a client that lies', () => {
  test('refuses to sign without a bind, and with one that the pinned host did not sign', async () => {
    const agent = await serveAgent();
    const sessionId = randomBytes(64);
    const request = authentication({ sessionId });
    const forged = bind({ hostKey: pinned.hostKey, sessionId, by: makeEd25519() });
    assert.deepEqual(await talk(agent, [sign(request), forged, sign(request)]), [
      'failure',
      'failure',
      'failure',
    ]);
    assert.deepEqual(agent.codes(), ['not_bound', 'bind_signature_invalid', 'not_bound']);
    await agent.close();
  });

  test('refuses with the valid bind of a host of its own', async () => {
    const own = makeEd25519();
    const agent = await serveAgent();
    const sessionId = randomBytes(64);
    const answers = await talk(agent, [
      bind({ hostKey: own.blob, sessionId, by: own }),
      sign(authentication({ sessionId })),
      sign(authentication({ sessionId, hostKey: pinned.hostKey })),
    ]);
    assert.deepEqual(answers, ['failure', 'failure', 'failure']);
    assert.deepEqual(agent.codes(), ['bind_host_not_pinned', 'not_bound', 'not_bound']);
    await agent.close();
  });

  test('after a valid bind refuses other sessions, users, keys, binds and data', async () => {
    const host = makeEd25519();
    const agent = await serveAgent({ hostKeys: [host.blob, pinned.hostKey], user: 'git' });
    const sessionId = randomBytes(64);
    const good = { sessionId, user: 'git' };
    const answers = await talk(agent, [
      bind({ hostKey: host.blob, sessionId, by: host }),
      sign(authentication({ ...good, sessionId: randomBytes(64) })),
      sign(authentication({ ...good, user: 'root' })),
      sign(authentication({ ...good, key: makeEd25519().blob })),
      sign(authentication({ ...good, hostKey: pinned.hostKey })),
      sign(authentication({ ...good, hostKey: unpinned.hostKey })),
      sign(Buffer.concat([authentication(good), Buffer.of(0)])),
      sign(randomBytes(200)),
      sign(authentication(good), makeEd25519().blob),
      bind({ hostKey: host.blob, sessionId: randomBytes(64), by: host }),
      sign(authentication(good)),
      sign(authentication({ ...good, hostKey: host.blob })),
    ]);
    assert.deepEqual(answers, ['success', ...Array(9).fill('failure'), 'signed', 'signed']);
    assert.deepEqual(agent.codes(), [
      'wrong_session',
      'wrong_user',
      'wrong_key',
      'wrong_session',
      'host_not_pinned',
      'not_an_authentication',
      'not_an_authentication',
      'wrong_key',
      'already_bound',
    ]);
    await agent.close();
  });

  test('refuses unknown extensions and malformed requests', async () => {
    const agent = await serveAgent();
    const answers = await talk(agent, [
      Buffer.concat([Buffer.of(27), wireString('query')]),
      Buffer.concat([Buffer.of(27), wireString('session-bind@openssh.com'), Buffer.from('short')]),
      Buffer.of(13),
    ]);
    assert.deepEqual(answers, ['failure', 'failure', 'failure']);
    assert.deepEqual(agent.codes(), ['unknown_extension', 'bind_malformed']);
    await agent.close();
  });

  test('refuses everything on a stream that is forwarded further, also what a pinned host signed', async () => {
    const host = makeEd25519();
    const agent = await serveAgent({ hostKeys: [host.blob] });
    const sessionId = randomBytes(64);
    const request = sign(authentication({ sessionId }));
    const valid = bind({ hostKey: host.blob, sessionId, by: host });
    const forwarding = bind({ hostKey: host.blob, sessionId: randomBytes(64), by: host, forwarding: true });
    assert.deepEqual(await talk(agent, [forwarding, valid, request]), ['failure', 'failure', 'failure']);
    assert.deepEqual(agent.codes(), Array(3).fill('bind_for_forwarding'));
    assert.deepEqual(await talk(agent, [valid, request]), ['success', 'signed']);
    await agent.close();
  });

  test('ends the stream of a client that announces a huge or an empty message', async () => {
    for (const length of [0, 64 * 1024 + 1, 0xffffffff]) {
      const agent = await serveAgent();
      assert.equal(await readAll(agent, wireUint32(length)), '');
      await agent.close();
    }
  });

  test('revokes itself after many refusals', async () => {
    const agent = await serveAgent();
    const requests = Array.from({ length: 100 }, () => wireString(Buffer.of(99)));
    await readAll(agent, Buffer.concat(requests));
    assert.equal(agent.codes().length, 33);
    assert.equal(agent.codes().at(-1), 'too_many_refusals');
    assert.equal((await ssh(agent, pinned)).code, 255);
    await agent.close();
  });
});

test('the limit holds for requests at the same time, and a revoke in between wins', async () => {
  const host = makeEd25519();
  const waiting: (() => void)[] = [];
  const slow = (data: Buffer) =>
    new Promise<Buffer>((resolve) =>
      waiting.push(() => resolve(signBytes(null, data, deployKey.privateKey))),
    );
  const agent = await serveAgent({ hostKeys: [host.blob], maxSigns: 1, sign: slow });
  const sessionId = randomBytes(64);
  const messages = [bind({ hostKey: host.blob, sessionId, by: host }), sign(authentication({ sessionId }))];
  const first = readAll(agent, Buffer.concat(messages.map(wireString)));
  while (waiting.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(await talk(agent, messages), ['success', 'failure']);
  assert.deepEqual(agent.codes(), ['limit_reached']);
  agent.revoke();
  for (const finish of waiting) finish();
  assert.equal(await first, wireString(Buffer.of(6)).toString('latin1'));
  await agent.close();
});

test('a signer that fails tells nothing but a code', async () => {
  const host = makeEd25519();
  const agent = await serveAgent({
    hostKeys: [host.blob],
    sign: () => {
      throw new Error('seed 0123456789');
    },
  });
  const sessionId = randomBytes(64);
  const answers = await talk(agent, [
    bind({ hostKey: host.blob, sessionId, by: host }),
    sign(authentication({ sessionId })),
  ]);
  assert.deepEqual(answers, ['success', 'failure']);
  assert.deepEqual(agent.events, [{ type: 'refused', code: 'signer_failed' }]);
  await agent.close();
});

/** The agent on a Unix socket, as `SSH_AUTH_SOCK` of a client. */
async function serveAgent(changes: Partial<DeployKeyAgentOptions> = {}) {
  const events: AgentEvent[] = [];
  const deployKeyAgent = createDeployKeyAgent({
    publicKey: deployKey.blob,
    sign: (data) => signBytes(null, data, deployKey.privateKey),
    user: pinned.user,
    hostKeys: [pinned.hostKey],
    maxSigns: 4,
    onEvent: (event) => events.push(event),
    ...changes,
  });
  const path = join(folder, `${randomBytes(6).toString('hex')}.sock`);
  const server = createServer((socket) => {
    socket.on('error', () => {});
    deployKeyAgent.agent.getStream?.((error, stream) => {
      if (error || !stream) socket.destroy();
      else socket.pipe(stream).pipe(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    path,
    events,
    revoke: deployKeyAgent.revoke,
    get signs() {
      return deployKeyAgent.signs;
    },
    codes: () => events.flatMap((event) => (event.type === 'refused' ? [event.code] : [])),
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}

type ServedAgent = Awaited<ReturnType<typeof serveAgent>>;

function run(command: string, args: string[], agent: ServedAgent): Promise<{ stdout: string }> {
  const env = { PATH: process.env.PATH, HOME: folder, SSH_AUTH_SOCK: agent.path };
  return new Promise((resolve, reject) => {
    execFile(command, args, { env }, (error, stdout) => (error ? reject(error) : resolve({ stdout })));
  });
}

async function ssh(agent: ServedAgent, host: LoopbackSshd, options: string[] = []) {
  const knownHosts = join(folder, `${host.port}.known_hosts`);
  await run('sh', ['-c', `printf '%s\\n' '${host.knownHost}' > ${knownHosts}`], agent);
  const files = ['-F', 'none', '-o', `UserKnownHostsFile=${knownHosts}`, '-o', 'GlobalKnownHostsFile=none'];
  const target = ['-p', String(host.port), `${host.user}@127.0.0.1`, 'echo in'];
  return run('ssh', [...files, '-o', 'BatchMode=yes', ...options, ...target], agent).then(
    ({ stdout }) => ({ code: 0, out: stdout }),
    (error: { code: number }) => ({ code: error.code, out: '' }),
  );
}

/** Sends requests one after the other on one connection and names the answers. */
async function talk(agent: ServedAgent, requests: Buffer[]): Promise<string[]> {
  const socket = connectSocket(agent.path);
  const answers: string[] = [];
  for (const request of requests) {
    socket.write(wireString(request));
    const [type = 0] = await nextMessage(socket);
    answers.push({ 5: 'failure', 6: 'success', 14: 'signed' }[type] ?? `message ${type}`);
  }
  socket.destroy();
  return answers;
}

async function nextMessage(socket: Socket): Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  while (bytes.length < 4 || bytes.length < 4 + bytes.readUInt32BE()) {
    bytes = Buffer.concat([bytes, await new Promise<Buffer>((resolve) => socket.once('data', resolve))]);
  }
  return new WireReader(bytes).string();
}

/** Sends bytes and resolves to everything that comes until the agent ends the stream. */
function readAll(agent: ServedAgent, bytes: Buffer): Promise<string> {
  return new Promise((resolve) => {
    let received = '';
    const socket = connectSocket(agent.path, () => socket.write(bytes));
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
    });
    socket.on('close', () => resolve(received));
  });
}

function authentication(login: { sessionId: Buffer; user?: string; key?: Buffer; hostKey?: Buffer }): Buffer {
  return authenticationData({ user: pinned.user, key: deployKey.blob, ...login });
}

function sign(data: Buffer, key = deployKey.blob): Buffer {
  return signMessage(data, key);
}

function bind(options: { hostKey: Buffer; sessionId: Buffer; by: TestKey; forwarding?: boolean }): Buffer {
  const signature = signBytes(null, options.sessionId, options.by.privateKey);
  return Buffer.concat([
    Buffer.of(27),
    wireString('session-bind@openssh.com'),
    wireString(options.hostKey),
    wireString(options.sessionId),
    wireString(Buffer.concat([wireString('ssh-ed25519'), wireString(signature)])),
    Buffer.of(options.forwarding ? 1 : 0),
  ]);
}
