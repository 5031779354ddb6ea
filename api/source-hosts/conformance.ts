import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ClientKey, cloneUrl, createGitClient, type GitClient } from './git-client.ts';
import type { NewHook, SourceHost } from './source-host.ts';
import { isRefusal, type ParseWebhook, type PullRequestEvent, type PushEvent } from './webhook-event.ts';
import { type ReceivedWebhook, startWebhookReceiver, type WebhookReceiver } from './webhook-receiver.ts';

/** A source host to test, with two repositories in it that have the default branch `main` and no commit yet. */
export interface SourceHostFixture {
  host: SourceHost;
  parseWebhook: ParseWebhook;
  repository: string;
  otherRepository: string;
  missingRepository: string;
  /** Opens a pull request from a fork, or from the repository itself; absent where the host has none. */
  openPullRequest?(
    repository: string,
    request: { number: number; commit: string; branch: string; fork: boolean },
  ): Promise<void>;
  /** What the host shows beside a commit, newest last; absent where it has no statuses. */
  statusesOf?(repository: string, commit: string): { state: string; context: string }[];
  /** The host takes one deploy key for several repositories, and refuses only those of accounts. */
  sharesDeployKeys?: boolean;
  /** Lets this key push to both repositories. */
  authorizeDeveloper(publicKey: string): Promise<void>;
  close(): Promise<void>;
}

const signal = AbortSignal.timeout(120_000);

/** What every source host must do, tried with real git and ssh clients. Call it from the host's own test file. */
export function testSourceHost(kind: string, makeFixture: () => Promise<SourceHostFixture>): void {
  describe(`source host ${kind}`, () => {
    let fixture: SourceHostFixture;
    let client: GitClient;
    let developer: ClientKey;

    before(async () => {
      fixture = await makeFixture();
      client = await createGitClient();
      developer = await client.makeKey();
      await fixture.authorizeDeveloper(developer.publicKey);
    });
    after(async () => {
      await fixture.close();
      await client.close();
    });

    const get = () => ({ ...fixture, client, developer });
    testRepository(get);
    testDeployKeys(get);
    testHooks(get);
    testEvents(get);
    testReports(get);
  });
}

type Get = () => SourceHostFixture & { client: GitClient; developer: ClientKey };

function testRepository(get: Get): void {
  test('takes the credential, and tells the host keys that it publishes', async () => {
    const { hostKeys } = await get().host.connect(signal);
    for (const line of hostKeys) assert.match(line, /^(ssh|ecdsa)\S+ [A-Za-z0-9+/=]+$/);
  });

  test('tells the default branch of a repository, and that another does not exist', async () => {
    const { host, repository, missingRepository } = get();
    assert.equal((await host.inspect(repository, signal)).defaultBranch, 'main');
    for (const missing of [missingRepository, '../outside', 'a b', '']) {
      await assert.rejects(host.inspect(missing, signal), {
        name: 'SourceHostError',
        code: 'repository_not_found',
      });
    }
  });

  test('resolves a ref to its commit and nothing else', async () => {
    const { host, repository, client, developer } = get();
    const commit = await client.commitAndPush(host.clone(repository), developer, 'resolve me', 'resolved');
    assert.deepEqual(await host.resolveRef(repository, 'refs/heads/resolved', signal), { commit });
    for (const ref of [
      'refs/heads/absent',
      'refs/heads/resolv',
      'refs/heads/resolved~0',
      'resolved',
      'refs/heads/*',
      '--all',
      '',
    ]) {
      assert.equal(await host.resolveRef(repository, ref, signal), undefined, ref);
    }
  });

  test('lists the branches with their commits, and tells what a commit says', async () => {
    const { host, repository, missingRepository, client, developer } = get();
    const message = 'List me\n\nWith a second paragraph.';
    const commit = await client.commitAndPush(host.clone(repository), developer, message, 'listed');
    const branches = await host.listBranches(repository, signal);
    assert.deepEqual(
      branches.find(({ name }) => name === 'listed'),
      { name: 'listed', commit },
    );
    const described = await host.describeCommit(repository, commit, signal);
    assert.deepEqual(
      { ...described, message: described?.message.trim() },
      { message, author: 'Ada Example' },
    );
    assert.equal(await host.describeCommit(repository, '1'.repeat(40), signal), undefined);
    await assert.rejects(host.listBranches(missingRepository, signal), { code: 'repository_not_found' });
  });

  test('gives an address whose pinned host key the ssh client accepts', async () => {
    const { host, repository, client, developer } = get();
    const source = host.clone(repository);
    assert.match(source.path, /^\//);
    for (const line of source.hostKeys) assert.match(line, /^(ssh|ecdsa)\S+ [A-Za-z0-9+/=]+$/);
    const { code } = await client.git(source, developer, ['ls-remote', cloneUrl(source)]);
    assert.equal(code, 0);
  });
}

function testDeployKeys(get: Get): void {
  test('a deploy key reads its repository and no other, and pushes to none', async () => {
    const { host, repository, otherRepository, client, developer } = get();
    const commit = await client.commitAndPush(host.clone(repository), developer, 'read me');
    const key = await client.makeKey();
    const source = host.clone(repository);
    const other = host.clone(otherRepository);
    const readsBefore = await client.git(source, key, ['ls-remote', cloneUrl(source)]);
    assert.equal(readsBefore.code, 128);

    const { id } = await host.addDeployKey(repository, { title: 'ci', publicKey: key.publicKey }, signal);
    const work = `${client.folder}/deploy-key`;
    assert.equal((await client.git(source, key, ['clone', '--quiet', cloneUrl(source), work])).code, 0);
    assert.equal((await client.git(source, key, ['-C', work, 'rev-parse', 'HEAD'])).stdout.trim(), commit);
    assert.equal((await client.git(other, key, ['ls-remote', cloneUrl(other)])).code, 128);
    const push = await client.git(source, key, ['-C', work, 'push', 'origin', 'HEAD:refs/heads/stolen']);
    assert.notEqual(push.code, 0);
    assert.match(push.stderr, /read.only|only read/i);
    assert.equal(await host.resolveRef(repository, 'refs/heads/stolen', signal), undefined);

    assert.equal(await host.removeDeployKey(repository, id, signal), 'removed');
    assert.equal((await client.git(source, key, ['ls-remote', cloneUrl(source)])).code, 128);
  });

  test('a deploy key is found until it is removed; adding it again changes nothing', async () => {
    const { host, repository, missingRepository, client } = get();
    const { publicKey } = await client.makeKey();
    const { id } = await host.addDeployKey(repository, { title: 'ci', publicKey }, signal);
    assert.deepEqual(await host.addDeployKey(repository, { title: 'again', publicKey }, signal), { id });
    const found = await host.findDeployKey(repository, id, signal);
    assert.equal(found?.title, 'ci');
    assert.equal(found?.publicKey.split(' ')[1], publicKey.split(' ')[1]);
    assert.equal(await host.removeDeployKey(repository, id, signal), 'removed');
    assert.equal(await host.findDeployKey(repository, id, signal), undefined);
    assert.equal(await host.removeDeployKey(repository, id, signal), 'absent');
    assert.equal(await host.findDeployKey(missingRepository, id, signal), undefined);
    assert.equal(await host.removeDeployKey(missingRepository, id, signal), 'absent');
  });

  test('a deploy key is looked up by what it is, also when somebody removed it and added it again', async () => {
    const { host, repository, missingRepository, client } = get();
    const { publicKey } = await client.makeKey();
    assert.equal(await host.lookUpDeployKey(repository, publicKey, signal), undefined);
    const first = await host.addDeployKey(repository, { title: 'ci', publicKey }, signal);
    await host.removeDeployKey(repository, first.id, signal);
    const second = await host.addDeployKey(repository, { title: 'by hand', publicKey }, signal);
    const found = await host.lookUpDeployKey(
      repository,
      `${publicKey.split(' ', 2).join(' ')} other`,
      signal,
    );
    assert.equal(found?.id, second.id);
    assert.equal(found?.title, 'by hand');
    assert.equal(await host.removeDeployKey(repository, second.id, signal), 'removed');
    assert.equal(await host.lookUpDeployKey(repository, publicKey, signal), undefined);
    const missing = host.lookUpDeployKey(missingRepository, publicKey, signal);
    await assert.rejects(missing, { code: 'repository_not_found' });
  });

  test('a key that is in use elsewhere, or is none, is refused', async () => {
    const { host, repository, otherRepository, missingRepository, client, developer } = get();
    const { sharesDeployKeys = false } = get();
    const { publicKey } = await client.makeKey();
    const { id } = await host.addDeployKey(repository, { title: 'ci', publicKey }, signal);
    const add = (name: string, line: string) =>
      host.addDeployKey(name, { title: 'ci', publicKey: line }, signal);
    if (!sharesDeployKeys) await assert.rejects(add(otherRepository, publicKey), { code: 'key_in_use' });
    await assert.rejects(add(repository, developer.publicKey), { code: 'key_in_use' });
    await assert.rejects(add(repository, 'no key'), { code: 'refused' });
    await assert.rejects(add(missingRepository, publicKey), { code: 'repository_not_found' });
    await host.removeDeployKey(repository, id, signal);
    const moved = await add(otherRepository, publicKey);
    assert.equal(await host.removeDeployKey(otherRepository, moved.id, signal), 'removed');
  });
}

function testHooks(get: Get): void {
  const newHook = (receiver: { url: string }): NewHook => ({
    url: receiver.url,
    secret: randomBytes(32),
    events: ['push'],
  });

  test('a hook is found until it is removed; adding it again keeps its id', async () => {
    const { host, repository, missingRepository } = get();
    const hook = newHook({ url: 'https://ebb.example.com/hooks/1' });
    const { id } = await host.addHook(repository, hook, signal);
    assert.deepEqual(await host.addHook(repository, hook, signal), { id });
    assert.deepEqual(await host.findHook(repository, id, signal), {
      id,
      url: hook.url,
      events: ['push'],
      active: true,
    });
    assert.deepEqual(await host.lookUpHook(repository, hook.url, signal), { id });
    assert.equal(await host.lookUpHook(repository, `${hook.url}0`, signal), undefined);
    assert.equal(await host.removeHook(repository, id, signal), 'removed');
    assert.equal(await host.findHook(repository, id, signal), undefined);
    assert.equal(await host.lookUpHook(repository, hook.url, signal), undefined);
    await assert.rejects(host.lookUpHook(missingRepository, hook.url, signal), {
      code: 'repository_not_found',
    });
    assert.equal(await host.removeHook(repository, id, signal), 'absent');
    assert.equal(await host.removeHook(missingRepository, id, signal), 'absent');
    await assert.rejects(host.addHook(missingRepository, hook, signal), { code: 'repository_not_found' });
  });

  test('a push is delivered, verified and understood; altered or unsigned it is refused', async () => {
    const { host, parseWebhook, repository, client, developer } = get();
    const receiver = await startWebhookReceiver();
    const hook = newHook(receiver);
    const { id } = await host.addHook(repository, hook, signal);
    const commit = await client.commitAndPush(
      host.clone(repository),
      developer,
      'Tell everybody\n\nAnd more.',
      'told',
    );
    const { webhook, push } = await nextPush(receiver, parseWebhook, hook.secret);
    const { repositoryId: _, at: _at, bodyMayRepeat: _may, ...rest } = push;
    assert.deepEqual({ ...rest, delivery: '' }, {
      event: 'push',
      delivery: '',
      repository,
      ref: 'refs/heads/told',
      before: '0'.repeat(40),
      commit,
      deleted: false,
      message: 'Tell everybody',
      author: 'Ada Example',
      skip: false,
    } satisfies PushEvent);
    assert.notEqual(push.delivery, '');
    checkRefusals(parseWebhook, webhook, hook.secret);
    await host.removeHook(repository, id, signal);
    await receiver.close();
  });

  test('after a hook is removed nothing is delivered to it', async () => {
    const { host, parseWebhook, repository, client, developer } = get();
    const [removed, kept] = await Promise.all([startWebhookReceiver(), startWebhookReceiver()]);
    const hook = newHook(kept);
    const goneHook = newHook(removed);
    const gone = await host.addHook(repository, goneHook, signal);
    const stays = await host.addHook(repository, hook, signal);
    await host.removeHook(repository, gone.id, signal);
    await client.commitAndPush(host.clone(repository), developer, 'only one is told', 'one');
    await nextPush(kept, parseWebhook, hook.secret);
    // Hosts may have tried it with a ping when it was added.
    const events = removed.received.map((webhook) => parseWebhook({ ...webhook, secret: goneHook.secret }));
    assert.ok(!events.some((event) => isRefusal(event) || event.event === 'push'), JSON.stringify(events));
    await host.removeHook(repository, stays.id, signal);
    await Promise.all([removed.close(), kept.close()]);
  });
}

function testEvents(get: Get): void {
  test('a tag is resolved, and its push understood', async () => {
    const { host, parseWebhook, repository, client, developer } = get();
    const receiver = await startWebhookReceiver();
    const secret = randomBytes(32);
    const source = host.clone(repository);
    const commit = await client.commitAndPush(source, developer, 'Tag me', 'tagged');
    const { id } = await host.addHook(repository, { url: receiver.url, secret, events: ['push'] }, signal);
    const work = `${client.folder}/tagging`;
    await client.git(source, developer, ['clone', '--quiet', '-b', 'tagged', cloneUrl(source), work]);
    const pushed = await client.git(source, developer, ['-C', work, 'push', 'origin', 'HEAD:refs/tags/v1']);
    assert.equal(pushed.code, 0, pushed.stderr);
    const { push } = await nextPush(receiver, parseWebhook, secret);
    assert.deepEqual([push.ref, push.commit, push.deleted], ['refs/tags/v1', commit, false]);
    assert.deepEqual(await host.resolveRef(repository, 'refs/tags/v1', signal), { commit });
    await host.removeHook(repository, id, signal);
    await receiver.close();
  });

  test('pull requests are told apart by where they come from, where the host has them', async () => {
    const { host, parseWebhook, repository, openPullRequest, client, developer } = get();
    if (!openPullRequest) return;
    const receiver = await startWebhookReceiver();
    const secret = randomBytes(32);
    const events = ['pull_request'] as const;
    const { id } = await host.addHook(repository, { url: receiver.url, secret, events }, signal);
    const commit = await client.commitAndPush(host.clone(repository), developer, 'Propose me', 'patch');
    await openPullRequest(repository, { number: 1, commit, branch: 'patch', fork: true });
    await openPullRequest(repository, { number: 2, commit, branch: 'patch', fork: false });
    const told: PullRequestEvent[] = [];
    for (let index = 0; told.length < 2; index += 1) {
      await receiver.count(index + 1);
      const webhook = receiver.received[index];
      assert.ok(webhook);
      const event = parseWebhook({ ...webhook, secret });
      assert.ok(!isRefusal(event), JSON.stringify(event));
      if (event.event === 'pull_request') told.push(event);
    }
    assert.deepEqual(
      told.map(({ number, fromFork, action }) => ({ number, fromFork, action })),
      [
        { number: 1, fromFork: true, action: 'changed' },
        { number: 2, fromFork: false, action: 'changed' },
      ],
    );
    for (const event of told) {
      assert.deepEqual([event.commit, event.headBranch, event.baseBranch], [commit, 'patch', 'main']);
      assert.match(event.ref, new RegExp(`^refs/.*/${event.number}/head$`));
    }
    await host.removeHook(repository, id, signal);
    await receiver.close();
  });
}

function testReports(get: Get): void {
  test('the state of a build is shown beside its commit, and may be told twice, where the host has a place for it', async () => {
    const { host, repository, missingRepository, statusesOf, client, developer } = get();
    assert.equal(host.reportStatus === undefined, statusesOf === undefined);
    if (!host.reportStatus || !statusesOf) return;
    const commit = await client.commitAndPush(host.clone(repository), developer, 'Report me', 'reported');
    const status = {
      ...{ commit, context: 'ebb/shop', description: 'Build 1', url: 'https://ebb.example.com/builds/1' },
    };
    for (const state of ['pending', 'pending', 'success'] as const) {
      await host.reportStatus(repository, { ...status, state }, signal);
    }
    assert.deepEqual(statusesOf(repository, commit).at(-1), { state: 'success', context: 'ebb/shop' });
    const lost = host.reportStatus(missingRepository, { ...status, state: 'success' }, signal);
    await assert.rejects(lost, { code: 'repository_not_found' });
  });

  test('a delivery that was not taken is delivered again when asked for, where the host keeps a log', async () => {
    const { host, parseWebhook, repository, missingRepository, client, developer } = get();
    assert.equal(host.failedDeliveries === undefined, host.redeliver === undefined);
    if (!host.failedDeliveries || !host.redeliver) return;
    const since = new Date(Date.now() - 3_600_000);
    let isAway = true;
    const receiver = await startWebhookReceiver(() => (isAway ? 500 : 204));
    const secret = randomBytes(32);
    const { id } = await host.addHook(repository, { url: receiver.url, secret, events: ['push'] }, signal);
    await client.commitAndPush(host.clone(repository), developer, 'Not taken', 'not-taken');
    const { push } = await nextPush(receiver, parseWebhook, secret);
    const failedPush = async () => {
      const failed = (await host.failedDeliveries?.(repository, id, since, signal)) ?? [];
      return failed.find(({ delivery }) => delivery === push.delivery);
    };
    const failed = await eventually(failedPush);
    isAway = false;
    const before = receiver.received.length;
    await host.redeliver(repository, id, failed.id, signal);
    await receiver.count(before + 1);
    const again = receiver.received.slice(before).map((webhook) => parseWebhook({ ...webhook, secret }));
    assert.ok(again.some((event) => !isRefusal(event) && event.delivery === push.delivery));
    await eventually(async () => (await failedPush()) === undefined || undefined);
    await host.removeHook(repository, id, signal);
    assert.deepEqual(await host.failedDeliveries(repository, id, since, signal), []);
    await host.redeliver(repository, id, failed.id, signal);
    const lost = host.failedDeliveries(missingRepository, id, since, signal);
    await assert.rejects(lost, { code: 'repository_not_found' });
    await receiver.close();
  });
}

/** What it gives as soon as it gives something. */
async function eventually<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(20, undefined, { signal });
  }
}

/** The first push among what comes; hosts may send a ping before. */
async function nextPush(receiver: WebhookReceiver, parseWebhook: ParseWebhook, secret: Buffer) {
  for (let index = 0; ; index += 1) {
    await receiver.count(index + 1);
    const webhook = receiver.received[index];
    assert.ok(webhook);
    const push = parseWebhook({ ...webhook, secret });
    assert.ok(!isRefusal(push), JSON.stringify(push));
    if (push.event === 'push') return { webhook, push };
  }
}

function checkRefusals(parseWebhook: ParseWebhook, { headers, body }: ReceivedWebhook, secret: Buffer): void {
  const altered = Buffer.from(body);
  altered[altered.length - 2] = (altered[altered.length - 2] ?? 0) ^ 1;
  const refusalOf = (request: ReceivedWebhook, by = secret) => {
    const result = parseWebhook({ ...request, secret: by });
    return isRefusal(result) ? result.code : result.event;
  };
  assert.equal(refusalOf({ headers: {}, body }), 'signature_missing');
  assert.equal(refusalOf({ headers, body: altered }), 'signature_invalid');
  assert.equal(refusalOf({ headers, body }, randomBytes(32)), 'signature_invalid');
}
