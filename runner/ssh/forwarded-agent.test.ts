import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { sign } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type ssh2 from 'ssh2';
import { makeSshKeyPair } from '../vm/openssh-private-key.ts';
import { connect, type SshSession } from './connection.ts';
import { type AgentEvent, createDeployKeyAgent } from './deploy-key-agent.ts';
import { makeEd25519 } from './ed25519-for-tests.ts';
import { type LoopbackSshd, startLoopbackSshd } from './loopback-sshd.ts';
import { publicKeyLine } from './public-key-line.ts';

const run = promisify(execFile);
const runnerKey = makeSshKeyPair();
const deployKey = makeEd25519();
let folder: string;
let machine: LoopbackSshd;
let sourceHost: LoopbackSshd;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-forward-'));
  machine = await startLoopbackSshd({ authorizedKeys: [runnerKey.publicLine] });
  sourceHost = await startLoopbackSshd({ authorizedKeys: [publicKeyLine(deployKey.blob)] });
  await writeFile(join(folder, 'known_hosts'), `${sourceHost.knownHost}\n`);
  const identity = ['-c', 'user.name=A', '-c', 'user.email=a@example.com', '-c', 'init.defaultBranch=main'];
  await run('git', [...identity, 'init', '-q', join(folder, 'origin')]);
  await writeFile(join(folder, 'origin', 'README'), 'source\n');
  await run('git', [...identity, '-C', join(folder, 'origin'), 'add', '.']);
  await run('git', [...identity, '-C', join(folder, 'origin'), 'commit', '-qm', 'first']);
});
after(async () => {
  await Promise.all([machine.close(), sourceHost.close()]);
  await rm(folder, { recursive: true });
});

test('a machine clones by the forwarded agent until it is revoked', async () => {
  const events: AgentEvent[] = [];
  const lent = lend(events);
  const session = await logIn(lent.agent);

  assert.deepEqual(await clone(session, 'first'), { code: 0, signal: null });
  assert.equal(await readFile(join(folder, 'first', 'README'), 'utf8'), 'source\n');
  assert.deepEqual(events, [{ type: 'signed', signs: 1 }]);

  lent.revoke();
  assert.equal((await clone(session, 'second')).code, 128);
  assert.equal(lent.signs, 1);
  await session.close();
});

test('a revoke reaches a client that holds the agent open', async () => {
  const lent = lend([]);
  const session = await logIn(lent.agent);
  // Asks for the identities, then waits for the agent to hang up.
  const client = `
    const socket = require('net').connect(process.env.SSH_AUTH_SOCK, () => socket.write(Buffer.from([0, 0, 0, 1, 11])));
    socket.once('data', () => process.stdout.write('holding'));
    socket.on('end', () => process.exit(9));`;
  const result = await session.exec(`exec '${process.execPath}' -`, {
    stdin: Buffer.from(client),
    onStdout: () => lent.revoke(),
  });
  assert.deepEqual(result, { code: 9, signal: null });
  await session.close();
});

test('a connection without an agent offers none to its commands', async () => {
  const session = await logIn();
  assert.deepEqual(await session.exec('test -z "$SSH_AUTH_SOCK"'), { code: 0, signal: null });
  await session.close();
});

function lend(events: AgentEvent[]) {
  return createDeployKeyAgent({
    publicKey: deployKey.blob,
    sign: (data) => sign(null, data, deployKey.privateKey),
    user: sourceHost.user,
    hostKeys: [sourceHost.hostKey],
    maxSigns: 4,
    onEvent: (event) => events.push(event),
  });
}

function logIn(agent?: ssh2.BaseAgent): Promise<SshSession> {
  return connect({
    host: '127.0.0.1',
    port: machine.port,
    username: machine.user,
    privateKey: runnerKey.privateKey,
    hostKey: machine.hostKey,
    timeoutMs: 30_000,
    ...(agent && { agent }),
  });
}

function clone(session: SshSession, name: string) {
  const ssh = `ssh -F none -o BatchMode=yes -o UserKnownHostsFile=${join(folder, 'known_hosts')}`;
  const url = `ssh://${sourceHost.user}@127.0.0.1:${sourceHost.port}${join(folder, 'origin')}`;
  return session.exec(`GIT_SSH_COMMAND='${ssh}' git clone -q ${url} ${join(folder, name)}`);
}
