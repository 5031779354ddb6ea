import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { sign } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { attachCommand } from '../build/attach-command.ts';
import { connect, type SshSession } from '../ssh/connection.ts';
import { createDeployKeyAgent } from '../ssh/deploy-key-agent.ts';
import { makeEd25519 } from '../ssh/ed25519-for-tests.ts';
import { type LoopbackSshd, startLoopbackSshd } from '../ssh/loopback-sshd.ts';
import { publicKeyLine } from '../ssh/public-key-line.ts';
import { type BootedMachine, boot } from './boot-for-tests.ts';
import { buildImage, type Image } from './build-image.ts';
import { base } from './recipes.ts';

const execute = promisify(execFile);
const cacheDir = join(import.meta.dirname, '../../.ebb/cache/images');
const deployKey = makeEd25519();
let image: Image;

before(async () => {
  image = await buildImage({ recipe: base, cacheDir, signal: new AbortController().signal });
});

test('a machine without an identity switches itself off', async () => {
  const machine = await boot(image, { deadmanSeconds: 60, identity: false });
  try {
    await machine.seen('ebb: no identity');
    await machine.off;
  } finally {
    await machine.close();
  }
});

test('a machine that never hears of its runner switches itself off', async () => {
  const machine = await boot(image, { deadmanSeconds: 3, identity: true });
  try {
    await machine.seen('ebb: runner gone');
    await machine.off;
  } finally {
    await machine.close();
  }
});

describe('a booted machine', () => {
  let machine: BootedMachine;
  let root: SshSession;
  let sourceHost: LoopbackSshd;
  let repository: string;
  let commits: string[];

  before(async () => {
    [repository, commits] = await makeRepository();
    sourceHost = await startLoopbackSshd({ authorizedKeys: [publicKeyLine(deployKey.blob)] });
    machine = await boot(image, { deadmanSeconds: 120, identity: true });
    await machine.seen('ebb: ready');
    root = await logIn(machine, 'root');
  });
  after(async () => {
    await root?.close();
    await machine?.close();
    await sourceHost?.close();
    await rm(repository, { recursive: true, force: true });
  });

  /** Runs the image's checkout for the commit on a connection of its own; the signer holds the deploy key here. */
  async function checkout(
    wanted: Partial<Record<'path' | 'commit' | 'ref' | 'hostKey', string>>,
    from = sourceHost,
  ) {
    const { path = repository, commit = commits[0], ref = 'refs/heads/main', hostKey } = wanted;
    const agent = createDeployKeyAgent({
      publicKey: deployKey.blob,
      sign: (data) => sign(null, data, deployKey.privateKey),
      user: from.user,
      hostKeys: [from.hostKey],
      maxSigns: 2,
      onEvent: () => {},
    });
    const session = await logIn(machine, 'checkout', agent.agent);
    try {
      const pinned = hostKey ?? publicKeyLine(from.hostKey);
      const fields = [from.user, '10.0.2.2', `${from.port}`, path, pinned, commit, ref];
      return await output(session, '/usr/lib/ebb/checkout', fields);
    } finally {
      agent.revoke();
      await session.close();
    }
  }

  let commands = 0;
  /** Runs the next command of a build; `fields` are what run-step reads. */
  async function run(fields: string[]) {
    commands += 1;
    const chunks: Buffer[] = [];
    const { code, lingers } = await attachCommand(root, {
      ...{ number: commands, from: 0, input: Buffer.from(fields.map((field) => `${field}\0`).join('')) },
      onOutput: async (chunk) => void chunks.push(chunk),
      signal: AbortSignal.timeout(120_000),
    }).ended;
    return { code, said: Buffer.concat(chunks).toString(), lingers };
  }

  test('proves that it has no disk, no swap and no way to load a driver', async () => {
    const { code, stdout } = await output(root, '/usr/lib/ebb/ramdisk-proof');
    assert.equal(code, 0);
    const proof = JSON.parse(stdout);
    for (const none of ['partitions', 'swaps', 'block_devices', 'nvme_bound'])
      assert.deepEqual(proof[none], []);
    assert.equal(proof.modules_disabled, 1);
    assert.equal(proof.kexec_load_disabled, 1);
    assert.ok(proof.command_line.includes(image.commandLine));
    assert.deepEqual([...new Set(proof.mounts.map((mount: { type: string }) => mount.type))].sort(), [
      'devpts',
      'devtmpfs',
      'proc',
      'rootfs',
      'sysfs',
      'tmpfs',
    ]);
    assert.equal(proof.mounts[0].target, '/');
    assert.match(proof.boot_id, /^[0-9a-f-]{36}$/);
    assert.ok(proof.filesystems.includes('tmpfs') && proof.modules.includes('virtio_net'));
    assert.ok(proof.memory_kib > 900_000 && proof.memory_kib < 1024 * 1024);
  });

  test('does not let build log in, and forwards nothing for root', async () => {
    await assert.rejects(logIn(machine, 'build'), { code: 'auth_failed' });
    const { stdout } = await output(root, 'echo "agent:$SSH_AUTH_SOCK"');
    assert.equal(stdout, 'agent:\n');
  });

  test('keeps /dev/mem closed even to root', async () => {
    const { code } = await output(root, 'head -c 1 /dev/mem > /dev/null');
    assert.notEqual(code, 0);
  });

  test('takes a source from the checkout to the steps, and ends the checkout for good', async () => {
    assert.equal((await checkout({ path: '/no/such/repository' })).code, 13);
    assert.equal((await checkout({ commit: 'a'.repeat(40) })).code, 14);
    assert.equal((await checkout({ hostKey: publicKeyLine(deployKey.blob) })).code, 11);
    const dying = `command="kill -9 $PPID" ${publicKeyLine(deployKey.blob)}`;
    const breaking = await startLoopbackSshd({ authorizedKeys: [dying] });
    const broken = await checkout({}, breaking).finally(breaking.close);
    assert.equal(broken.code, 16, broken.stderr);
    assert.deepEqual(await checkout({}), { code: 0, stdout: '', stderr: '' });

    assert.equal((await output(root, '/usr/lib/ebb/handover')).code, 0);
    await assert.rejects(logIn(machine, 'checkout'), { code: 'auth_failed' });

    const value = 'two\nlines "quoted" $HOME \u00e9 \u0001';
    const step = (command: string) => run([`VALUE=${value}`, '', command]);
    assert.deepEqual(await step('cat; git rev-parse HEAD; cat README; id -un; pwd; printf %s "$VALUE"'), {
      code: 0,
      said: `${commits[0]}\nfirst\nbuild\n/home/build/workspace\n${value}`,
      lingers: false,
    });
    assert.equal((await step('false | true; echo not reached')).code, 1);
    assert.equal((await step('kill -KILL $$')).code, 137);
    assert.equal((await step('! grep -qs "l[i]nes" /proc/[0-9]*/cmdline')).code, 0);
    assert.equal((await step('! cat /etc/ssh/ssh_host_ed25519_key /run/ebb/authorized_keys')).code, 0);
    assert.equal((await run(['', 'echo >&2 said'])).said, 'said\n');

    const started = await run(['', '(while :; do sleep 1; done) & exit 0']);
    assert.deepEqual(started, { code: 0, said: '', lingers: true });
    const ended = await output(root, '/usr/lib/ebb/end-processes 99');
    assert.deepEqual([ended.code, Number(ended.stdout) >= 1], [0, true]);
    assert.equal((await output(root, 'pgrep -u build')).stdout, '');

    // The loader complains once for each process that gets it: only bash, which is user build already.
    const { said } = await run(['LD_PRELOAD=/none.so', '', ':']);
    assert.equal(said.match(/none\.so/g)?.length, 1);
  });
});

/** Two commits on main; the first is not the branch's head, so that fetching by commit id matters. */
async function makeRepository(): Promise<[string, string[]]> {
  const folder = await mkdtemp(join(tmpdir(), 'ebb-origin-'));
  const git = (...args: string[]) =>
    execute('git', ['-C', folder, '-c', 'user.name=A', '-c', 'user.email=a@example.com', ...args]);
  await git('-c', 'init.defaultBranch=main', 'init', '-q');
  const commits: string[] = [];
  for (const text of ['first', 'second']) {
    await writeFile(join(folder, 'README'), `${text}\n`);
    await git('add', '.');
    await git('commit', '-qm', text);
    commits.push((await git('rev-parse', 'HEAD')).stdout.trim());
  }
  return [folder, commits];
}

function logIn(machine: BootedMachine, username: string, agent?: Parameters<typeof connect>[0]['agent']) {
  return connect({
    host: '127.0.0.1',
    port: machine.port,
    username,
    privateKey: machine.privateKey,
    hostKey: machine.hostKey,
    timeoutMs: 60_000,
    ...(agent && { agent }),
  });
}

/** Runs a command; `fields` go to its standard input, each ended by NUL. */
async function output(session: SshSession, command: string, fields: (string | undefined)[] = []) {
  const said = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const { code } = await session.exec(command, {
    stdin: Buffer.from(fields.map((field) => `${field}\0`).join('')),
    onStdout: (chunk) => void said.stdout.push(chunk),
    onStderr: (chunk) => void said.stderr.push(chunk),
  });
  return { code, stdout: `${Buffer.concat(said.stdout)}`, stderr: `${Buffer.concat(said.stderr)}` };
}
