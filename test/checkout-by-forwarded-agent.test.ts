import assert from 'node:assert/strict';
import { sign } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import pino from 'pino';
import type ssh2 from 'ssh2';
import { cloneUrl, createGitClient, type GitClient } from '../api/source-hosts/git-client.ts';
import {
  type LocalSourceHost,
  startLocalSourceHost,
} from '../api/source-hosts/local/start-local-source-host.ts';
import { connect, type SshSession } from '../runner/ssh/connection.ts';
import { type AgentEvent, createDeployKeyAgent } from '../runner/ssh/deploy-key-agent.ts';
import { makeEd25519 } from '../runner/ssh/ed25519-for-tests.ts';
import { type LoopbackSshd, startLoopbackSshd } from '../runner/ssh/loopback-sshd.ts';
import { publicKeyBlob, publicKeyLine } from '../runner/ssh/public-key-line.ts';
import { makeSshKeyPair } from '../runner/vm/openssh-private-key.ts';

const signal = AbortSignal.timeout(120_000);
const logger = pino({ level: 'silent' });
const runnerKey = makeSshKeyPair();
const deployKey = makeEd25519();
let folder: string;
let client: GitClient;
let local: LocalSourceHost;
let impostor: LocalSourceHost;
let machine: LoopbackSshd;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-checkout-'));
  client = await createGitClient();
  const developer = await client.makeKey();
  [local, impostor] = (await Promise.all(
    ['local', 'impostor'].map(async (name) => {
      const host = await startLocalSourceHost({ root: join(folder, name), port: 0, logger });
      await host.createRepository('shop');
      await host.authorizeUser(developer.publicKey);
      await client.commitAndPush(host.host.clone('shop'), developer, 'source');
      return host;
    }),
  )) as [LocalSourceHost, LocalSourceHost];
  machine = await startLoopbackSshd({ authorizedKeys: [runnerKey.publicLine] });
});
after(async () => {
  await Promise.all([local.close(), impostor.close(), machine.close(), client.close()]);
  await rm(folder, { recursive: true });
});

test('a machine checks out with a deploy key that never reaches it, until agent or key is revoked', async () => {
  const events: AgentEvent[] = [];
  const lent = lend(events);
  const session = await logIn(lent.agent);
  const publicKey = publicKeyLine(deployKey.blob);
  const { id } = await local.host.addDeployKey('shop', { title: 'ci', publicKey }, signal);

  assert.equal((await checkOut(session, local, 'first')).code, 0);
  assert.equal(await readFile(join(folder, 'first', 'source'), 'utf8'), 'source');
  assert.deepEqual(events, [{ type: 'signed', signs: 1 }]);

  await local.host.removeDeployKey('shop', id, signal);
  assert.equal((await checkOut(session, local, 'key-removed')).code, 128);

  await local.host.addDeployKey('shop', { title: 'ci', publicKey }, signal);
  lent.revoke();
  assert.equal((await checkOut(session, local, 'agent-revoked')).code, 128);
  assert.equal(lent.signs, 1);
  await session.close();
});

test('a machine cannot use the deploy key at another host that knows it', async () => {
  const events: AgentEvent[] = [];
  const session = await logIn(lend(events).agent);
  const key = { title: 'ci', publicKey: publicKeyLine(deployKey.blob) };
  await impostor.host.addDeployKey('shop', key, signal);
  assert.equal((await checkOut(session, impostor, 'stolen')).code, 128);
  assert.deepEqual(
    events.map((event) => event.type === 'refused' && event.code),
    ['bind_host_not_pinned', 'not_bound'],
  );
  await session.close();
});

function lend(events: AgentEvent[]) {
  return createDeployKeyAgent({
    publicKey: deployKey.blob,
    sign: (data) => sign(null, data, deployKey.privateKey),
    user: 'git',
    hostKeys: local.host.clone('shop').hostKeys.map(publicKeyBlob),
    maxSigns: 4,
    onEvent: (event) => events.push(event),
  });
}

function logIn(agent: ssh2.BaseAgent): Promise<SshSession> {
  return connect({
    host: '127.0.0.1',
    port: machine.port,
    username: machine.user,
    privateKey: runnerKey.privateKey,
    hostKey: machine.hostKey,
    timeoutMs: 30_000,
    agent,
  });
}

async function checkOut(session: SshSession, { host }: LocalSourceHost, name: string) {
  const source = host.clone('shop');
  const knownHosts = join(folder, `${name}.known_hosts`);
  await writeFile(knownHosts, `[${source.host}]:${source.port} ${source.hostKeys[0]}\n`);
  const ssh = `ssh -F none -o BatchMode=yes -o UserKnownHostsFile=${knownHosts}`;
  return session.exec(`GIT_SSH_COMMAND='${ssh}' git clone -q ${cloneUrl(source)} ${join(folder, name)}`);
}
