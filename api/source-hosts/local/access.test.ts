import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import pino from 'pino';
import ssh2 from 'ssh2';
import { type ClientKey, cloneUrl, createGitClient, type GitClient } from '../git-client.ts';
import type { CloneSource } from '../source-host.ts';
import { type LocalSourceHost, startLocalSourceHost } from './start-local-source-host.ts';

const signal = AbortSignal.timeout(120_000);
const logger = pino({ level: 'silent' });

describe('access to the local source host', () => {
  let client: GitClient;
  let developer: ClientKey;
  let root: string;
  let local: LocalSourceHost;
  let shop: CloneSource;

  before(async () => {
    client = await createGitClient();
    developer = await client.makeKey();
    root = await mkdtemp(join(tmpdir(), 'ebb-access-'));
    local = await startLocalSourceHost({ root, port: 0, logger });
    await local.createRepository('shop');
    await local.createRepository('secret');
    await local.authorizeUser(developer.publicKey);
    shop = local.host.clone('shop');
    await client.commitAndPush(shop, developer, 'first');
  });
  after(async () => {
    await local.close();
    await client.close();
    await rm(root, { recursive: true });
  });

  test('no command but those of git runs, whatever it is wrapped in', async () => {
    const attempts = [
      'id',
      'git-upload-pack ../../etc',
      "git-upload-pack '/../repositories/shop.git'",
      "git-upload-pack '/shop.git/../secret.git'",
      "git-upload-pack '/shop.git'; id",
      "git-upload-pack '$(id)'",
      'git-upload-pack `id`',
      "git-upload-pack '--help'",
      "git-upload-archive '/shop.git'",
      'git-shell',
      "git upload-pack --upload-pack=id '/shop.git'",
    ];
    for (const attempt of attempts) {
      const { code, stdout, stderr } = await client.ssh(shop, developer, [attempt]);
      assert.equal(code, 128, attempt);
      assert.equal(stdout, '', attempt);
      assert.match(stderr, /^ebb: This host serves git fetch and git push/, attempt);
    }
  });

  test('there is no shell, no subsystem and no forwarding', async () => {
    assert.equal((await client.ssh(shop, developer, [])).code, 128);
    assert.equal((await client.ssh(shop, developer, ['-s', 'sftp'])).code, 255);
    const connection = await logIn(developer);
    await assert.rejects(
      new Promise((resolve, reject) =>
        connection.forwardOut('127.0.0.1', 1, '127.0.0.1', local.port, (error) =>
          error ? reject(error) : resolve(0),
        ),
      ),
      /Channel open failure|administratively/i,
    );
    connection.end();
  });

  test('only the user git with a known key logs in', async () => {
    const stranger = await client.makeKey();
    assert.equal((await client.ssh(shop, stranger, ['true'])).code, 255);
    assert.equal((await client.ssh({ ...shop, user: 'root' }, developer, ['true'])).code, 255);
  });

  test('developers may use rsa and ecdsa keys', async () => {
    for (const type of ['rsa', 'ecdsa'] as const) {
      const key = await client.makeKey(type);
      await local.authorizeUser(key.publicKey);
      assert.equal((await client.git(shop, key, ['ls-remote', cloneUrl(shop)])).code, 0, type);
    }
  });

  test('a repository that does not exist is refused by name to developers and by no name to deploy keys', async () => {
    const nowhere = { ...shop, path: '/nowhere.git' };
    assert.match(
      (await client.git(nowhere, developer, ['ls-remote', cloneUrl(nowhere)])).stderr,
      /no repository nowhere at this host\./,
    );
    const key = await client.makeKey();
    const { id } = await local.host.addDeployKey('shop', { title: 'ci', publicKey: key.publicKey }, signal);
    const other = { ...shop, path: '/secret.git' };
    const [missing, hidden] = await Promise.all(
      [nowhere, other].map(
        async (source) => (await client.git(source, key, ['ls-remote', cloneUrl(source)])).stderr,
      ),
    );
    assert.equal(missing?.replaceAll('nowhere', 'secret'), hidden);
    await local.host.removeDeployKey('shop', id, signal);
  });

  test('a deploy key that pushes is told why not', async () => {
    const key = await client.makeKey();
    const { id } = await local.host.addDeployKey('shop', { title: 'ci', publicKey: key.publicKey }, signal);
    const { stderr } = await client.ssh(shop, key, ["git-receive-pack '/shop.git'"]);
    assert.match(
      stderr,
      /^ebb: This is a deploy key: it can only read\. Push shop with a key of a developer\./,
    );
    await assert.rejects(local.authorizeUser(key.publicKey), { code: 'key_in_use' });
    await local.host.removeDeployKey('shop', id, signal);
  });

  test('removing a deploy key cuts the connection that used it', async () => {
    const key = await client.makeKey();
    const { id } = await local.host.addDeployKey('shop', { title: 'ci', publicKey: key.publicKey }, signal);
    const connection = await logIn(key);
    assert.equal((await execute(connection, "git-upload-pack '/shop.git'")).code, 0);
    const cut = new Promise<void>((resolve) => connection.once('close', resolve));
    await local.host.removeDeployKey('shop', id, signal);
    await cut;
  });

  test('a key taken out of authorized_keys can do nothing on the connection it has', async () => {
    const key = await client.makeKey();
    await local.authorizeUser(key.publicKey);
    const connection = await logIn(key);
    assert.equal((await execute(connection, "git-upload-pack '/shop.git'")).code, 0);
    const file = join(root, 'authorized_keys');
    const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== key.publicKey);
    await writeFile(file, lines.join('\n'));
    const refused = await execute(connection, "git-upload-pack '/shop.git'");
    assert.equal(refused.code, 128);
    assert.match(refused.stderr, /this key may not read it/);
    connection.end();
  });

  test('protocol version 2, shallow clones and a commit that is on no branch any more are served', async () => {
    const lost = await client.commitAndPush(shop, developer, 'soon forgotten', 'forgotten');
    const work = join(client.folder, 'shallow');
    await client.git(shop, developer, ['init', '--quiet', work]);
    const clone = join(client.folder, 'forgetful');
    await client.git(shop, developer, ['clone', '--quiet', cloneUrl(shop), clone]);
    await client.git(shop, developer, ['-C', clone, 'push', '--quiet', 'origin', ':refs/heads/forgotten']);
    for (const version of ['0', '2']) {
      const fetch = [
        '-C',
        work,
        '-c',
        `protocol.version=${version}`,
        'fetch',
        '--depth=1',
        cloneUrl(shop),
        lost,
      ];
      const { code, stderr } = await client.git(shop, developer, fetch);
      assert.equal(code, 0, `protocol ${version}: ${stderr}`);
    }
  });

  test('a large file goes in and comes out unchanged', async () => {
    const source = local.host.clone('secret');
    const work = join(client.folder, 'large');
    const bytes = randomBytes(8_000_000);
    await client.git(source, developer, ['init', '--quiet', '-b', 'main', work]);
    await writeFile(join(work, 'large'), bytes);
    await client.git(source, developer, ['-C', work, 'add', '.']);
    await client.git(source, developer, ['-C', work, 'commit', '--quiet', '-m', 'large']);
    assert.equal(
      (await client.git(source, developer, ['-C', work, 'push', '--quiet', cloneUrl(source), 'main'])).code,
      0,
    );
    const copy = join(client.folder, 'copy');
    assert.equal((await client.git(source, developer, ['clone', '--quiet', cloneUrl(source), copy])).code, 0);
    assert.ok(bytes.equals(await readFile(join(copy, 'large'))));
  });

  test('pushes at the same time all arrive', async () => {
    const branches = ['a', 'b', 'c', 'd'];
    const commits = await Promise.all(
      branches.map((name) => client.commitAndPush(shop, developer, name, name)),
    );
    for (const [index, name] of branches.entries()) {
      assert.deepEqual(await local.host.resolveRef('shop', `refs/heads/${name}`, signal), {
        commit: commits[index],
      });
    }
  });

  function logIn(key: ClientKey): Promise<ssh2.Client> {
    return new Promise((resolve, reject) => {
      const connection = new ssh2.Client();
      connection.once('ready', () => resolve(connection)).on('error', reject);
      readFile(key.file).then((privateKey) =>
        connection.connect({ host: '127.0.0.1', port: local.port, username: 'git', privateKey }),
      );
    });
  }
});

test('the host key is made once, for its owner alone', async () => {
  const root = await mkdtemp(join(tmpdir(), 'ebb-host-key-'));
  const first = await startLocalSourceHost({ root, port: 0, logger });
  await first.close();
  const second = await startLocalSourceHost({ root, port: 0, logger, advertise: { host: '10.0.2.2' } });
  assert.equal(second.hostKey, first.hostKey);
  assert.equal((await stat(join(root, 'host_key'))).mode & 0o777, 0o600);
  const { host, port, hostKeys } = second.host.clone('shop');
  assert.deepEqual(
    { host, port, hostKeys },
    { host: '10.0.2.2', port: second.port, hostKeys: [first.hostKey] },
  );
  await second.close();
  await rm(root, { recursive: true });
});

test('closing ends a transfer that is not getting on, and its git process', async () => {
  const root = await mkdtemp(join(tmpdir(), 'ebb-close-'));
  const local = await startLocalSourceHost({ root, port: 0, logger });
  const client = await createGitClient();
  const developer = await client.makeKey();
  await local.createRepository('shop');
  await local.authorizeUser(developer.publicKey);
  const connection = new ssh2.Client();
  connection.on('error', () => {});
  await new Promise<void>((resolve) => {
    connection.once('ready', resolve);
    readFile(developer.file).then((privateKey) =>
      connection.connect({ host: '127.0.0.1', port: local.port, username: 'git', privateKey }),
    );
  });
  // Says nothing after its command, so git waits for it.
  await new Promise<void>((resolve) => {
    connection.exec("git-receive-pack '/shop.git'", (_error, channel) =>
      channel.once('data', () => resolve()),
    );
  });
  await local.close();
  await client.close();
  await rm(root, { recursive: true });
});

test('a port that is taken is told at the start', async () => {
  const root = await mkdtemp(join(tmpdir(), 'ebb-port-'));
  const first = await startLocalSourceHost({ root: join(root, 'one'), port: 0, logger });
  await assert.rejects(startLocalSourceHost({ root: join(root, 'two'), port: first.port, logger }), {
    code: 'EADDRINUSE',
  });
  await first.close();
  await rm(root, { recursive: true });
});

function execute(connection: ssh2.Client, command: string): Promise<{ code: number; stderr: string }> {
  return new Promise((resolve, reject) => {
    connection.exec(command, (error, channel) => {
      if (error) return reject(error);
      let stderr = '';
      channel.stderr.on('data', (chunk: Buffer) => {
        stderr += chunk;
      });
      channel.on('close', (code: number) => resolve({ code, stderr }));
      channel.resume();
      channel.end('0000');
    });
  });
}
