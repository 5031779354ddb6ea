import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { cloneUrl } from '../git-client.ts';
import { isRefusal, type PullRequestEvent } from '../webhook-event.ts';
import { startWebhookReceiver } from '../webhook-receiver.ts';
import { type Running, signal } from './fixture.ts';
import { nextPush } from './next-push.ts';

export function testEvents(get: Running): void {
  test('a tag is resolved, and its push understood', async (t) => {
    const { host, parseWebhook, repository, client, developer } = get();
    const receiver = await startWebhookReceiver();
    t.after(receiver.close);
    const secret = randomBytes(32);
    const source = host.clone(repository);
    const commit = await client.commitAndPush(source, developer, 'Tag me', 'tagged');
    const { id } = await host.addHook(repository, { url: receiver.url, secret, events: ['push'] }, signal);
    const work = `${client.folder}/tagging`;
    await client.git(source, developer, ['clone', '--quiet', '-b', 'tagged', cloneUrl(source), work]);
    const pushed = await client.git(source, developer, ['-C', work, 'push', 'origin', 'HEAD:refs/tags/v1']);
    assert.equal(pushed.code, 0, pushed.stderr);
    const { push } = await nextPush(receiver, parseWebhook, secret, 'refs/tags/v1');
    assert.deepEqual([push.commit, push.deleted], [commit, false]);
    assert.deepEqual(await host.resolveRef(repository, 'refs/tags/v1', signal), { commit });
    await host.removeHook(repository, id, signal);
  });

  test('pull requests are told apart by where they come from, where the host has them', async (t) => {
    const { host, parseWebhook, repository, openPullRequest, client, developer } = get();
    if (!openPullRequest) return;
    const receiver = await startWebhookReceiver();
    t.after(receiver.close);
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
  });
}
