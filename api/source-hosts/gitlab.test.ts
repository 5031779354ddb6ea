import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { Gitlab } from '@gitbeaker/rest';
import { createFileKeyWrapper } from '../../contract/custody/key-wrapper.ts';
import { createCustody } from '../custody/custody.ts';
import { createKey } from '../deploy-keys/ed25519-key.ts';
import { testSourceHost } from './conformance.ts';
import { gitlabKind } from './gitlab.ts';
import { type GitlabStandIn, startGitlab } from './gitlab-for-tests.ts';
import type { SourceHost } from './source-host.ts';
import { createSourceHosts } from './source-hosts.ts';
import { isRefusal } from './webhook-event.ts';
import { hookSecretText } from './webhook-parsing.ts';
import { startWebhookReceiver } from './webhook-receiver.ts';

const kind = gitlabKind({ create: 0, change: 0 });
const person = { NAME: 'Ada Example', EMAIL: 'ada@example.com' };
const identity = {
  PATH: process.env.PATH,
  ...{ GIT_AUTHOR_NAME: person.NAME, GIT_AUTHOR_EMAIL: person.EMAIL },
  ...{ GIT_COMMITTER_NAME: person.NAME, GIT_COMMITTER_EMAIL: person.EMAIL },
};
const signal = AbortSignal.timeout(60_000);

function open(gitlab: GitlabStandIn): SourceHost {
  return kind.open({
    ...{ url: gitlab.url, sshAddress: `127.0.0.1:${gitlab.git.port}`, hostKeys: [gitlab.git.hostKey] },
    ...{ appId: undefined, installationId: undefined, connectionId: 'conn_gitlab' },
    fetch,
    credential: async () => Buffer.from(gitlab.token),
  });
}

async function start() {
  const root = await mkdtemp(join(tmpdir(), 'ebb-gitlab-'));
  const gitlab = await startGitlab(root);
  await gitlab.addProject('acme/shop');
  await gitlab.addProject('acme/tools');
  const close = async () => {
    await gitlab.close();
    await rm(root, { recursive: true });
    assert.deepEqual(gitlab.violations, []);
  };
  return { gitlab, close };
}

testSourceHost('gitlab', async () => {
  const { gitlab, close } = await start();
  return {
    ...{ host: open(gitlab), parseWebhook: kind.parseWebhook, close },
    ...{ repository: 'acme/shop', otherRepository: 'acme/tools', missingRepository: 'acme/nowhere' },
    sharesDeployKeys: true,
    authorizeDeveloper: gitlab.git.authorizeUser,
    openPullRequest: gitlab.openMergeRequest,
    statusesOf: (name, commit) =>
      [...gitlab.project(name).statuses]
        .filter(([named]) => named.startsWith(commit))
        .map(([named, state]) => ({ state, context: named.slice(commit.length + 1) })),
  };
});

describe('gitlab, beside another client of its API', () => {
  let gitlab: GitlabStandIn;
  let close: () => Promise<void>;
  before(async () => {
    ({ gitlab, close } = await start());
  });
  after(() => close());

  test('what Ebb adds, the published client reads as what it is', async () => {
    const client = new Gitlab({ host: gitlab.url, token: gitlab.token });
    const host = open(gitlab);
    const url = 'https://ebb.example.com/v1/hooks/1';
    const hook = await host.addHook(
      'acme/shop',
      { url, secret: Buffer.alloc(32, 1), events: ['push'] },
      signal,
    );
    const shown = await client.ProjectHooks.show('acme/shop', Number(hook.id));
    assert.deepEqual(
      [shown.url, shown.push_events, shown.tag_push_events, shown.merge_requests_events],
      [url, true, true, false],
    );
    const key = { title: 'ci', publicKey: createKey('ebb').publicKey };
    const { id } = await host.addDeployKey('acme/shop', key, signal);
    const listed = await client.DeployKeys.all({ projectId: 'acme/shop' });
    assert.deepEqual(
      listed.map(({ id, title, can_push }) => ({ id, title, can_push })),
      [{ id: Number(id), title: 'ci', can_push: false }],
    );
  });

  test('a token without the scope is refused by its name', async () => {
    gitlab.scopes = ['read_api'];
    await assert.rejects(open(gitlab).connect(signal), /lacks the scope "api"; it has read_api/);
    gitlab.scopes = ['api'];
    assert.deepEqual(await open(gitlab).connect(signal), { hostKeys: [] });
  });

  test('a token ends itself when its connection is revoked', async () => {
    const host = open(gitlab);
    await host.endCredential?.(signal);
    await assert.rejects(host.connect(signal), { code: 'unauthorized' });
    gitlab.tokenEnded = false;
  });

  test('the same state of a build told twice is no failure', async () => {
    const status = {
      ...{ commit: '1'.repeat(40), state: 'pending' as const, context: 'ebb/shop' },
      ...{ description: 'Build 1 runs', url: 'https://ebb.example.com/builds/1' },
    };
    await open(gitlab).reportStatus?.('acme/shop', status, signal);
    await open(gitlab).reportStatus?.('acme/shop', { ...status, description: 'Build 1 is queued' }, signal);
    assert.deepEqual([...gitlab.project('acme/shop').statuses.values()], ['pending']);
  });

  test('the same push made again is another event, since GitLab says nothing in it that differs', () => {
    const secret = Buffer.alloc(32, 5);
    const body = Buffer.from(
      JSON.stringify({
        ...{ object_kind: 'tag_push', ref: 'refs/tags/v1', before: '0'.repeat(40), after: '1'.repeat(40) },
        project: { id: 1, path_with_namespace: 'acme/shop' },
      }),
    );
    const parse = (id: string) => {
      const headers = { 'idempotency-key': id, 'x-gitlab-token': hookSecretText(secret) };
      return kind.parseWebhook({ headers, body, secret });
    };
    for (const id of ['one', 'two']) {
      const event = parse(id);
      assert.ok(!isRefusal(event));
      assert.deepEqual([event.delivery, event.bodyMayRepeat], [id, true]);
    }
  });

  for (const change of [
    { alert_status: 'disabled' },
    { enable_ssl_verification: false },
    { push_events_branch_filter: 'main', branch_filter_strategy: 'wildcard' },
  ]) {
    test(`a hook with ${JSON.stringify(change)} is seen, and set right`, async () => {
      const host = open(gitlab);
      const url = 'https://ebb.example.com/v1/hooks/2';
      const hook = { url, secret: Buffer.alloc(32, 1), events: ['push' as const] };
      const { id } = await host.addHook('acme/tools', hook, signal);
      const { hooks } = gitlab.project('acme/tools');
      const before = { ...hooks.get(Number(id)), id: 0 };
      assert.equal((await host.findHook('acme/tools', id, signal))?.active, true);
      Object.assign(hooks.get(Number(id)) ?? {}, { ...change, url: 'https://elsewhere.example.com/' });
      assert.equal((await host.findHook('acme/tools', id, signal))?.active, false);
      const again = await host.addHook('acme/tools', { ...hook, id }, signal);
      assert.deepEqual(
        [...hooks.values()].map((one) => ({ ...one, id: 0 })),
        [before],
      );
      assert.equal((await host.findHook('acme/tools', again.id, signal))?.active, true);
    });
  }

  test('a thousand branches are listed, and one more is told as too many', async () => {
    const { folder } = await gitlab.addProject('acme/many');
    const git = async (args: string[]) =>
      (await promisify(execFile)('git', ['-C', folder, ...args], { env: identity })).stdout.trim();
    const tree = await git(['hash-object', '-t', 'tree', '-w', '/dev/null']);
    const commit = await git(['commit-tree', '-m', 'Many', tree]);
    const addBranches = async (from: number, to: number) => {
      const lines = Array.from(
        { length: to - from },
        (_, index) => `${commit} refs/heads/b${from + index}\n`,
      );
      const file = join(folder, 'packed-refs');
      await appendFile(file, lines.join(''));
    };
    await addBranches(0, 1_000);
    const told: string[] = [];
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const custody = createCustody({
      keyWrapper: createFileKeyWrapper(pair.publicKey.export({ format: 'jwk' })),
      hookMasterKey: Buffer.alloc(32),
    });
    const kinds = { gitlab: { ...kind, open: () => open(gitlab) } };
    const host = createSourceHosts(custody, kinds, {
      onRefused: (_, { message }) => told.push(message),
    }).of({
      ...{ connection_id: 'conn_gitlab', kind: 'gitlab', url: gitlab.url, ssh_address: null, app_id: null },
      ...{ installation_id: null, host_keys: [], sealed_credential: null },
    });
    assert.equal((await host?.listBranches('acme/many', signal))?.length, 1_000);
    await addBranches(1_000, 1_001);
    for (const _ of [1, 2])
      await assert.rejects(async () => await host?.listBranches('acme/many', signal), { code: 'refused' });
    assert.equal(told.length, 1);
    assert.match(told.join(), /acme\/many has more than 1000 branches/);
  });

  test('merge requests are understood; a GitLab that does not sign is believed by its token alone', async () => {
    const receiver = await startWebhookReceiver();
    const secret = Buffer.alloc(32, 3);
    await open(gitlab).addHook('acme/shop', { url: receiver.url, secret, events: ['pull_request'] }, signal);
    gitlab.signs = false;
    const commit = '2'.repeat(40);
    const request = { number: 3, commit, branch: 'patch' };
    for (const action of ['open', 'update', 'approved', 'merge']) {
      await gitlab.openMergeRequest('acme/shop', { ...request, action, fork: action === 'open' });
    }
    await receiver.count(4);
    const events = receiver.received.map((webhook) => kind.parseWebhook({ ...webhook, secret }));
    assert.deepEqual(
      events.map((event) => !isRefusal(event) && event.event === 'pull_request' && event.action),
      ['changed', 'changed', 'other', 'closed'],
    );
    const [first] = events;
    assert.ok(first && !isRefusal(first) && first.event === 'pull_request');
    assert.deepEqual(
      [first.ref, first.commit, first.fromFork, first.baseBranch],
      ['refs/merge-requests/3/head', commit, true, 'main'],
    );
    const [webhook] = receiver.received;
    assert.ok(webhook);
    assert.equal(webhook.headers['x-gitlab-token'], hookSecretText(secret));
    const forged = { ...webhook, headers: { ...webhook.headers, 'x-gitlab-token': 'x' }, secret };
    assert.equal(Reflect.get(kind.parseWebhook(forged), 'code'), 'signature_invalid');
    await receiver.close();
    gitlab.signs = true;
  });
});
