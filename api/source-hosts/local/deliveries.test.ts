import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { promisify } from 'node:util';
import pino from 'pino';
import { type ClientKey, cloneUrl, createGitClient, type GitClient } from '../git-client.ts';
import { isRefusal, type PushEvent } from '../webhook-event.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../webhook-receiver.ts';
import {
  type LocalSourceHost,
  type LocalSourceHostOptions,
  startLocalSourceHost,
} from './start-local-source-host.ts';
import { parseLocalWebhook } from './webhook.ts';

const run = promisify(execFile);
const signal = AbortSignal.timeout(120_000);
const secret = randomBytes(32);

describe('deliveries of the local source host', () => {
  let client: GitClient;
  let developer: ClientKey;
  let root: string;
  let folder: string;
  let local: LocalSourceHost;

  before(async () => {
    client = await createGitClient();
    developer = await client.makeKey();
  });
  after(() => client.close());
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'ebb-deliveries-'));
    local = await start();
    folder = await local.createRepository('shop');
    await local.authorizeUser(developer.publicKey);
  });
  afterEach(async () => {
    await local.close();
    await rm(root, { recursive: true });
  });

  const start = (changes: Partial<LocalSourceHostOptions> = {}) =>
    startLocalSourceHost({
      root,
      port: 0,
      logger: pino({ level: 'silent' }),
      retryDelayMs: () => 1,
      ...changes,
    });
  const addHook = ({ url }: { url: string }) =>
    local.host.addHook('shop', { url, secret, events: ['push'] }, signal);
  const push = (message: string, branch?: string) =>
    client.commitAndPush(local.host.clone('shop'), developer, message, branch);
  const events = (receiver: WebhookReceiver) =>
    receiver.received.map((webhook) => {
      const event = parseLocalWebhook({ ...webhook, secret });
      assert.ok(!isRefusal(event) && event.event === 'push');
      return event;
    });

  test('a delivery that fails is tried again with the same id, and later ones wait for it', async () => {
    const receiver = await startWebhookReceiver((count) => (count <= 3 ? 503 : 204));
    await addHook(receiver);
    await push('one', 'one');
    await push('two', 'two');
    await local.idle();
    const received = events(receiver);
    assert.deepEqual(
      received.map(({ message }) => message),
      ['one', 'one', 'one', 'one', 'two'],
    );
    assert.equal(new Set(received.map(({ delivery }) => delivery)).size, 2);
    await receiver.close();
  });

  test('a delivery is given up after eight attempts and kept with its last status; the next one goes on', async () => {
    const receiver = await startWebhookReceiver((count) => (count <= 8 ? 500 : 200));
    const { id } = await addHook(receiver);
    await push('lost', 'lost');
    await push('heard', 'heard');
    await local.idle();
    assert.deepEqual(
      events(receiver).map(({ message }) => message),
      [...Array(8).fill('lost'), 'heard'],
    );
    const [failed = ''] = await readdir(join(folder, 'ebb', 'failed', id));
    const kept = JSON.parse(await readFile(join(folder, 'ebb', 'failed', id, failed), 'utf8'));
    assert.equal(kept.attempts, 8);
    assert.equal(kept.lastOutcome, 'HTTP 500');
    assert.deepEqual(await readdir(join(folder, 'ebb', 'deliveries', id)), []);
    await receiver.close();
  });

  test('a redirect is not followed and a receiver that is gone counts as failed', async () => {
    const receiver = await startWebhookReceiver(() => 302);
    const gone = await startWebhookReceiver();
    await gone.close();
    await addHook(receiver);
    const { id } = await addHook(gone);
    await push('nobody listens');
    await local.idle();
    assert.equal(receiver.received.length, 8);
    const [failed = ''] = await readdir(join(folder, 'ebb', 'failed', id));
    assert.match(
      await readFile(join(folder, 'ebb', 'failed', id, failed), 'utf8'),
      /"lastOutcome":"ECONNREFUSED"/,
    );
    await receiver.close();
  });

  test('a push does not wait for a slow receiver', async () => {
    const never = () => new Promise<Response>(() => {});
    await local.close();
    local = await start({ fetch: (_url, init) => Promise.race([never(), abortOf(init?.signal)]) });
    await addHook({ url: 'http://127.0.0.1:9/' });
    await push('fast');
  });

  test('what waits is on disk, readable by its owner alone, and is sent after a restart', async () => {
    const receiver = await startWebhookReceiver();
    await local.close();
    local = await start({
      fetch: async () => {
        throw new TypeError('fetch failed');
      },
      retryDelayMs: () => 600_000,
    });
    const { id } = await addHook(receiver);
    await push('later');
    const pending = join(folder, 'ebb', 'deliveries', id);
    const [file = ''] = await readdir(pending);
    assert.equal((await stat(join(pending, file))).mode & 0o777, 0o600);
    await local.close();
    local = await start();
    await local.idle();
    assert.deepEqual(
      events(receiver).map(({ message }) => message),
      ['later'],
    );
    assert.deepEqual(await readdir(pending), []);
    await receiver.close();
  });

  test('a push that nobody was told of when the process died is announced at the next start, once', async () => {
    const receiver = await startWebhookReceiver();
    await addHook(receiver);
    const commit = await push('known');
    await local.idle();
    await local.close();
    await run('git', ['-C', folder, 'update-ref', 'refs/heads/unannounced', commit]);
    local = await start();
    await local.idle();
    await local.close();
    local = await start();
    await local.idle();
    assert.deepEqual(
      events(receiver).map(({ ref }) => ref),
      ['refs/heads/main', 'refs/heads/unannounced'],
    );
    await receiver.close();
  });

  test('a start after a crash between the deliveries and their record repeats them with the same id', async () => {
    const receiver = await startWebhookReceiver();
    await addHook(receiver);
    const state = join(folder, 'ebb', 'state.json');
    const before = await readFile(state);
    await push('once');
    await local.idle();
    await local.close();
    await writeFile(state, before);
    local = await start();
    await local.idle();
    const [first, second, ...more] = events(receiver);
    assert.equal(first?.delivery, second?.delivery);
    assert.deepEqual(more, []);
    await receiver.close();
  });

  test('branches, tags, forced pushes and deletions are told as they happened', async () => {
    const receiver = await startWebhookReceiver();
    const first = await push('first');
    await addHook(receiver);
    const source = local.host.clone('shop');
    const work = join(client.folder, 'all');
    const git = (...args: string[]) => client.git(source, developer, ['-C', work, ...args]);
    await client.git(source, developer, ['clone', '--quiet', cloneUrl(source), work]);
    await git('tag', '-a', 'v1', '-m', 'a tag');
    await git('commit', '--quiet', '--amend', '-m', 'amended');
    const amended = (await git('rev-parse', 'HEAD')).stdout.trim();
    await git('push', '--quiet', '--force', 'origin', 'HEAD:refs/heads/main', 'HEAD:refs/heads/short', 'v1');
    await git('push', '--quiet', 'origin', ':refs/heads/short');
    await local.idle();
    const zeros = '0'.repeat(40);
    const brief = ({ ref, before, commit, deleted, message }: PushEvent) => ({
      ref,
      before,
      commit,
      deleted,
      message,
    });
    assert.deepEqual(events(receiver).map(brief), [
      {
        ref: 'refs/heads/main',
        before: first,
        commit: amended,
        deleted: false,
        message: 'amended',
      },
      {
        ref: 'refs/heads/short',
        before: zeros,
        commit: amended,
        deleted: false,
        message: 'amended',
      },
      {
        ref: 'refs/tags/v1',
        before: zeros,
        commit: first,
        deleted: false,
        message: 'first',
      },
      {
        ref: 'refs/heads/short',
        before: amended,
        commit: zeros,
        deleted: true,
        message: '',
      },
    ]);
    await receiver.close();
  });

  test('removing a hook ends what is being sent and forgets what waits', async () => {
    const receiver = await startWebhookReceiver(() => 503);
    await local.close();
    local = await start({ retryDelayMs: () => 600_000 });
    const { id } = await addHook(receiver);
    await push('never mind');
    await receiver.count(1);
    assert.equal(await local.host.removeHook('shop', id, signal), 'removed');
    await local.idle();
    await local.close();
    local = await start();
    await push('still nothing');
    await local.idle();
    assert.equal(receiver.received.length, 1);
    assert.deepEqual(await readdir(join(folder, 'ebb', 'deliveries')), []);
    assert.ok(
      !(await readFile(join(folder, 'ebb', 'state.json'), 'utf8')).includes(secret.toString('base64')),
    );
    await receiver.close();
  });

  test('adding a hook again renews its secret for what is sent from then on', async () => {
    const receiver = await startWebhookReceiver();
    await local.host.addHook(
      'shop',
      { url: receiver.url, secret: randomBytes(32), events: ['push'] },
      signal,
    );
    await addHook(receiver);
    await push('renewed');
    await local.idle();
    assert.equal(events(receiver).length, 1);
    await receiver.close();
  });

  test('a hook with a weak secret or a url of another kind is refused', async () => {
    const hook = { url: 'https://ebb.example.com/', secret, events: ['push'] as const };
    await assert.rejects(local.host.addHook('shop', { ...hook, secret: Buffer.from('short') }, signal), {
      code: 'refused',
    });
    for (const url of ['file:///etc/passwd', 'no url']) {
      await assert.rejects(local.host.addHook('shop', { ...hook, url }, signal), { code: 'refused' });
    }
  });
});

/** Rejects at the abort, as fetch does: also when it came before the call. */
function abortOf(stop: AbortSignal | null | undefined): Promise<Response> {
  return new Promise((_, reject) => {
    if (stop?.aborted) reject(stop.reason);
    stop?.addEventListener('abort', () => reject(stop.reason));
  });
}
