import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { authenticationData, signMessage } from '../../runner/ssh/agent-messages-for-tests.ts';
import type { SshSession } from '../../runner/ssh/connection.ts';
import type { LoopbackSshd } from '../../runner/ssh/loopback-sshd.ts';
import { publicKeyBlob } from '../../runner/ssh/public-key-line.ts';
import { findInMemory } from '../process-memory.ts';
import { type CheckoutUnderAttack, openCheckoutUnderAttack } from './checkout-under-attack.ts';

// Speaks to the agent as no ssh client would: each argument is a message in hexadecimal, each answer's type is printed.
const speak = `
use Socket;
$| = 1;
$SIG{PIPE} = "IGNORE";
socket(my $agent, PF_UNIX, SOCK_STREAM, 0) or die;
connect($agent, pack_sockaddr_un($ENV{SSH_AUTH_SOCK})) or do { print "unreachable"; exit };
sub get { my $all = ""; while (length $all < $_[0]) { sysread($agent, my $part, $_[0] - length $all) or return; $all .= $part } $all }
for my $message (@ARGV) {
  if ($message =~ /^until:(.*)/) { sleep 1 until -e $1; next }
  syswrite $agent, pack("N/a*", pack("H*", $message));
  my $length = get(4);
  if (!defined $length) { print "closed"; exit }
  print ord(get(unpack "N", $length)), " ";
}`;
const answers = { failure: 5, identities: 12, signed: 14 };
const names = (text: string) =>
  text
    .trim()
    .split(/\s+/)
    .map((word) => Object.entries(answers).find(([, type]) => String(type) === word)?.[0] ?? word);

/** One VM and one opened key serve all the attacks below; a build has no more than that either. */
describe('the deploy key is for the checkout alone', () => {
  let given: CheckoutUnderAttack;
  let key: Buffer;
  let heard = 0;

  before(async () => {
    given = await openCheckoutUnderAttack(AbortSignal.timeout(8 * 60_000));
    key = publicKeyBlob(given.specification.deploy_key.public_key);
    await given.vm.connection.exec('cat > /tmp/speak', { stdin: Buffer.from(speak) });
  });
  after(() => given?.close());

  /** Runs a script in the VM as who holds the session. */
  async function inVm(script: string, session: SshSession = given.checkout) {
    const said: Buffer[] = [];
    const hear = (chunk: Buffer) => void said.push(chunk);
    const { code } = await session.exec('bash -s', { stdin: Buffer.from(script), onStdout: hear });
    return { code, out: Buffer.concat(said).toString() };
  }
  const perl = (...messages: (Buffer | string)[]) => {
    const given = messages.map((each) => (typeof each === 'string' ? each : each.toString('hex')));
    return `perl /tmp/speak ${given.join(' ')}`;
  };
  const ssh = (host: LoopbackSshd, user: string, command: string, ...options: string[]) =>
    [
      'ssh -F none -o BatchMode=yes -o LogLevel=ERROR -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null',
    ]
      .concat(options, `-p ${host.port} ${user}@10.0.2.2 '${command}'`)
      .join(' ');
  /** Codes of the refusals that the audit has since the last time. */
  async function refusals() {
    const codes = (await given.audited()).flatMap(({ action, detail }) =>
      action === 'deploy_key.refused' ? [String(detail.code)] : [],
    );
    const fresh = codes.slice(heard);
    heard = codes.length;
    return fresh;
  }
  const login = (more: { user?: string; hostKey?: Buffer } = {}) =>
    signMessage(
      authenticationData({ sessionId: randomBytes(64), user: given.pinned.user, key, ...more }),
      key,
    );

  test('it logs in at the pinned source host, which is what it is for', async () => {
    assert.deepEqual(await inVm(ssh(given.pinned, given.pinned.user, 'echo in')), { code: 0, out: 'in\n' });
    assert.deepEqual(
      (await given.audited()).map(({ action }) => action),
      ['deploy_key.opened', 'deploy_key.signed'],
    );
  });

  test('it does not log in at another host that has the same key authorized', async () => {
    for (const how of ['yes', 'unbound']) {
      const { code } = await inVm(
        ssh(given.unpinned, given.unpinned.user, 'echo in', `-o PubkeyAuthentication=${how}`),
      );
      assert.equal(code, 255);
    }
    assert.deepEqual(await refusals(), [
      ...['bind_host_not_pinned', 'host_not_pinned'],
      ...['bind_host_not_pinned', 'not_bound'],
    ]);
  });

  test('it does not log in as another user of the pinned host', async () => {
    const { hostKey } = given.pinned;
    const { out } = await inVm(perl(login({ user: 'daemon', hostKey }), login({ user: '', hostKey })));
    assert.deepEqual(names(out), ['failure', 'failure']);
    assert.deepEqual(await refusals(), ['wrong_user', 'wrong_user']);
  });

  test('it signs no file and no bytes that are not a login', async () => {
    const { deploy_key } = given.specification;
    const file = `echo '${deploy_key.public_key}' > /tmp/key.pub && echo data | ssh-keygen -Y sign -n file -f /tmp/key.pub`;
    assert.notEqual((await inVm(file)).code, 0);
    assert.deepEqual(names((await inVm(perl(signMessage(Buffer.from('tree 4b825dc'), key)))).out), [
      'failure',
    ]);
    assert.deepEqual(await refusals(), ['not_an_authentication', 'not_an_authentication']);
  });

  test('it takes no key, gives none up, is not locked, and is extended by nobody', async () => {
    const requests = { add: '11', remove: '12', removeAll: '13', lock: '16', unlock: '17', smartcard: '14' };
    const { out } = await inVm(perl(...Object.values(requests), '0b'));
    assert.deepEqual(names(out), [...Array(6).fill('failure'), 'identities']);
    assert.deepEqual(await refusals(), Array(6).fill('unknown_request'));
  });

  test('it is not forwarded further, not even to the pinned host', async () => {
    const further = ssh(given.pinned, given.pinned.user, 'echo in').replace('10.0.2.2', '127.0.0.1');
    const { out } = await inVm(
      `${ssh(given.pinned, given.pinned.user, `${further.replaceAll("'", '"')} || ssh-add -l`, '-A')}`,
    );
    const codes = await refusals();
    assert.doesNotMatch(out, /^in$|ED25519/m);
    assert.ok(codes.length > 0 && codes.every((code) => code === 'bind_for_forwarding'), codes.join());
  });

  test('user build and the connection that builds cannot reach it; root in the VM can log in nowhere else', async () => {
    const socket = (await inVm('echo $SSH_AUTH_SOCK')).out.trim();
    const root = given.vm.connection;
    assert.equal((await inVm('echo "<$SSH_AUTH_SOCK>"', root)).out, '<>\n');
    const asBuild = `setpriv --reuid build --regid build --init-groups`;
    const tried = await inVm(`export SSH_AUTH_SOCK=${socket}; ${asBuild} ${perl('0b')}`, root);
    assert.equal(tried.out, 'unreachable');
    const asRoot = await inVm(
      `export SSH_AUTH_SOCK=${socket}; ${perl(login({ hostKey: given.unpinned.hostKey }), login(), login({ user: 'root2' }))}`,
      root,
    );
    assert.deepEqual(names(asRoot.out), ['failure', 'failure', 'failure']);
    assert.deepEqual(await refusals(), ['host_not_pinned', 'not_bound', 'wrong_user']);
  });

  test('it is not in the memory of the VM, which is searched from outside while the key is open', async () => {
    const marker = randomBytes(24).toString('hex');
    // Read by the VM over its connection, and kept there by a file in its memory.
    await given.vm.connection.exec('cat > /tmp/marker', { stdin: Buffer.from(marker) });
    const owner = JSON.parse(await readFile(join(given.runtimeDir, given.vm.vm.id, 'owner.json'), 'utf8'));
    const opened = await given.vault.open(given.specification.deploy_key.private_key, 'deploy-key');
    const seed = opened.use((bytes) => Buffer.from(bytes));
    opened.wipe();
    const needles = [marker, seed, seed.toString('base64'), seed.toString('base64url'), seed.toString('hex')];
    const found = await findInMemory(
      owner.qemu.pid,
      needles.map((needle) => Buffer.from(needle)),
    );
    seed.fill(0);
    assert.deepEqual([...found], [0], 'what was planted is found, and no form of the key');
  });

  test('it signs no more often than one checkout needs', async () => {
    assert.equal((await inVm(ssh(given.pinned, given.pinned.user, 'echo in'))).code, 255);
    assert.deepEqual(await refusals(), ['limit_reached']);
  });

  test('it talks over 16 connections at once and no more', async () => {
    const { out } = await inVm(`perl -e '
      use Socket;
      for (1 .. 20) {
        socket(my $agent, PF_UNIX, SOCK_STREAM, 0);
        connect($agent, pack_sockaddr_un($ENV{SSH_AUTH_SOCK})) and syswrite $agent, pack("N/a*", chr 11);
        push @held, $agent;
      }
      for (@held) { $answer = ""; sysread($_, $answer, 5); print length $answer ? ord(substr $answer, 4) : "closed", " " }'`);
    assert.equal(out.match(/12/g)?.length, 16);
    assert.deepEqual(await refusals(), Array(4).fill('too_many_streams'));
  });

  test('its socket is dead once the checkout is over, also for who held it open', async () => {
    const socket = (await inVm('echo $SSH_AUTH_SOCK')).out.trim();
    const holding = perl('0b', 'until:/tmp/over', '0b', login());
    const started = await inVm(
      `nohup setsid ${holding} > /tmp/held 2>&1 &
       timeout 20 sh -c 'until grep -q 12 /tmp/held; do sleep 0.1; done'`,
    );
    assert.equal(started.code, 0);
    await given.endCheckout();
    const late = await inVm(
      `export SSH_AUTH_SOCK=${socket}; touch /tmp/over
       timeout 20 sh -c 'while pgrep -u checkout perl > /dev/null; do sleep 0.1; done'
       cat /tmp/held; echo; ${perl('0b', login())}`,
      given.vm.connection,
    );
    assert.match(late.out, /^12 closed\n(closed|unreachable)$/);
  });

  test('all of it is in the audit of the team, and the key is closed', async () => {
    const shown = await given.audited();
    const refused = shown.filter(({ action }) => action === 'deploy_key.refused').length;
    assert.equal(shown[0]?.action, 'deploy_key.opened');
    const { action, detail } = shown.at(-1) ?? assert.fail();
    assert.deepEqual([action, detail.signs, detail.refusals], ['deploy_key.closed', 2, refused]);
    assert.ok(shown.length < 64);
    assert.doesNotMatch(given.api.logged(), /not audited/);
  });
});
