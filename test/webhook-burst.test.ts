import assert from 'node:assert/strict';
import { createHash, createHmac, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { createGitClient } from '../api/source-hosts/git-client.ts';
import { type GithubStandIn, startGithub } from '../api/source-hosts/github/github-for-tests.ts';
import {
  pushPayload,
  repositoryPayload,
  webhookExample,
} from '../api/source-hosts/github/github-payloads-for-tests.ts';
import { startRedis } from '../queue/test-redis.ts';
import { type ApiForTests, startApi } from './api-for-tests.ts';
import { startPostgres } from './postgres.ts';

// npm run test:webhook-burst sends ten thousand.
const total = Number(process.env.EBB_BURST ?? 1_000);
const atOnce = 50;
const repositories = 5;

let root: string;
let github: GithubStandIn;
let api: ApiForTests;
let database: pg.Client;
const opened: (() => Promise<unknown>)[] = [];
const hooks: { repository: string; url: string; secret: string }[] = [];

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'ebb-burst-'));
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  opened.push(postgres.close, redis.close);
  github = await startGithub(join(root, 'github'));
  opened.push(github.close);
  const signal = AbortSignal.timeout(600_000);
  api = await startApi({ folder: join(root, 'api'), databaseUrl: postgres.url, redisUrl: redis.url, signal });
  opened.push(() => api.stop());
  database = new pg.Client({ connectionString: postgres.url });
  await database.connect();
  opened.push(() => database.end());
  const connection = await api.client.post<{ id: string }>('/v1/connections', {
    ...{ name: 'github', kind: 'github', url: github.url, ssh_address: github.sshAddress },
    token: github.token.value,
  });
  const git = await createGitClient();
  const developer = await git.makeKey();
  await github.git.authorizeUser(developer.publicKey);
  for (let index = 0; index < repositories; index += 1) {
    const repository = `acme/shop-${index}`;
    await github.addRepository(repository);
    // A branch, so that there is something to declare a project of.
    await git.commitAndPush(github.git.host.clone(repository), developer, 'First', 'main');
    const project = await api.client.post<{ id: string }>('/v1/projects', {
      ...{ connection_id: connection.id, name: `shop-${index}`, repository },
    });
    await api.client.post('/v1/deploy-keys', { project_id: project.id });
    await api.client.post('/v1/hook-bindings', { project_id: project.id, branches: ['main'] });
    const [hook] = github.repository(repository).hooks.values();
    hooks.push({ repository, url: hook?.config.url ?? '', secret: hook?.config.secret ?? '' });
  }
  await git.close();
});
after(async () => {
  while (opened.length > 0) await opened.pop()?.();
  await rm(root, { recursive: true, force: true });
});

interface Webhook {
  kind: 'build' | 'reason' | 'forged';
  delivery: string;
  event: string;
  url: string;
  body: Buffer;
  signature: string;
}

const example = webhookExample('ping');
// Of one second, so that none is older than another whichever comes first.
const began = new Date().toISOString();

/** Of a hundred: pushes to be built, pushes to another branch, pings, forgeries. */
function makeWebhook(index: number): Webhook {
  const hook = hooks[index % hooks.length];
  assert.ok(hook);
  const { repository, url, secret } = hook;
  const stored = repositoryPayload(github.repository(repository), github.url);
  const slot = index % 100;
  const kind = slot < 80 ? 'build' : slot < 95 ? 'reason' : 'forged';
  const isPing = slot >= 90 && slot < 95;
  const payload = isPing
    ? { ...example, zen: `${index}`, repository: stored }
    : pushPayload(stored, {
        ...{ event: 'push', delivery: '', repository, deleted: false, skip: false },
        ...{
          ref: kind === 'reason' ? 'refs/heads/other' : 'refs/heads/main',
          before: digest(index - hooks.length),
        },
        at: began,
        ...{ commit: digest(index), message: `Commit ${index}`, author: 'Ada' },
      });
  const body = Buffer.from(JSON.stringify(payload));
  const key = kind === 'forged' ? 'guessed' : secret;
  const signature = `sha256=${createHmac('sha256', key).update(body).digest('hex')}`;
  return { kind, delivery: randomUUID(), event: isPing ? 'ping' : 'push', url, body, signature };
}

function digest(index: number): string {
  return createHash('sha1').update(`commit ${index}`).digest('hex');
}

/** Sends until it is answered, as a host does that is told to deliver again. Gives the status of the answer. */
async function send({ url, body, delivery, event, signature }: Webhook): Promise<number> {
  for (;;) {
    const answer = await fetch(url, {
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/json',
        'x-github-event': event,
        'x-github-delivery': delivery,
        'x-hub-signature-256': signature,
      },
      signal: AbortSignal.timeout(10_000),
    }).catch(() => undefined);
    await answer?.arrayBuffer().catch(() => undefined);
    if (answer && answer.status < 500) return answer.status;
    await sleep(100);
  }
}

test(`of ${total} webhooks in a burst, the API killed twice, each leads to one build or one reason`, async () => {
  const webhooks = Array.from({ length: total }, (_, index) => makeWebhook(index));
  // Some come twice, at the same moment or much later.
  const sent = webhooks.flatMap((webhook, index) => (index % 20 === 0 ? [webhook, webhook] : [webhook]));
  sent.push(...webhooks.slice(0, Math.floor(total / 50)));
  const kills = [Math.floor(sent.length / 3), Math.floor((2 * sent.length) / 3)];
  const answers = new Map<string, number[]>();
  let next = 0;
  let restarted: Promise<void> = Promise.resolve();
  const worker = async () => {
    for (;;) {
      const index = next++;
      const webhook = sent[index];
      if (!webhook) return;
      if (kills.includes(index)) restarted = restarted.then(() => api.killAndRestart());
      const status = await send(webhook);
      answers.set(webhook.delivery, [...(answers.get(webhook.delivery) ?? []), status]);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  await restarted;

  for (const { kind, delivery } of webhooks) {
    const statuses = new Set(answers.get(delivery));
    assert.deepEqual([...statuses], [kind === 'forged' ? 401 : 202], `${kind} ${delivery}`);
  }
  const waiting = async () =>
    Number(
      (await database.query('select count(*) from webhook_delivery where processed_at is null')).rows[0]
        .count,
    );
  while ((await waiting()) > 0) await sleep(200);

  // Beside them are the pings of the hooks that were added.
  const { rows } = await database.query(
    'select delivery, build_id, reason, commit from webhook_delivery order by delivery',
  );
  const byDelivery = new Map(rows.map((row) => [row.delivery, row]));
  for (const { kind, delivery } of webhooks) {
    const row = byDelivery.get(delivery);
    if (kind === 'forged') assert.equal(row, undefined);
    else {
      assert.ok(row, delivery);
      assert.equal(row.build_id !== null, kind === 'build');
      assert.equal(row.reason !== null, kind === 'reason');
    }
  }
  const builds = await database.query('select commit, count(*) as count from build group by commit');
  const wanted = webhooks.filter(({ kind }) => kind === 'build').length;
  assert.equal(builds.rows.length, wanted);
  assert.ok(
    builds.rows.every(({ count }) => Number(count) === 1),
    'no commit is built twice',
  );
});
