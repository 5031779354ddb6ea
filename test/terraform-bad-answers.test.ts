import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import type { Workspace } from '../provider/acceptance/terraform.ts';
import { type Fault, type FaultyProxy, startFaultyProxy } from './faulty-proxy.ts';
import {
  endsClean,
  explained,
  explains,
  projectNames,
  projectsConfiguration,
  startTerraformSetting,
  succeeds,
  type TerraformSetting,
} from './terraform-setting.ts';

const count = 2;
let setting: TerraformSetting;
let proxy: FaultyProxy;
let workspace: Workspace;

before(async () => {
  setting = await startTerraformSetting(AbortSignal.timeout(300_000));
  setting.makeRepositories(...projectNames(count));
  proxy = await startFaultyProxy(setting.api.url);
  workspace = await setting.workspace({ EBB_ENDPOINT: proxy.url });
  await workspace.write(projectsConfiguration(count));
});

afterEach(() => proxy.meddle(() => undefined));

after(async () => {
  await proxy?.goDown();
  await setting?.close();
});

async function everythingIsThereOnce(): Promise<void> {
  for (const path of ['projects', 'deploy-keys', 'hook-bindings', 'secrets']) {
    const { items } = await setting.api.client.get<{ items: unknown[] }>(`/v1/${path}?limit=200`);
    assert.equal(items.length, count, path);
  }
}

const page: Fault = { status: 502, type: 'text/html', body: '<html><h1>502 Bad Gateway</h1></html>' };
const faults: Record<string, Fault> = {
  'a lost request': 'lost_request',
  'a lost answer': 'lost_answer',
  'half of an answer': 'truncated',
  'an answer without end': 'endless',
  'a page of a load balancer': page,
  'a page with another content type': { ...page, status: 404, type: 'application/json' },
  'a page with success': { ...page, status: 200 },
  'no body': { status: 200, type: 'application/json', body: '' },
  'JSON of another shape': { status: 200, type: 'application/json', body: '{"status":"ok"}' },
};

test('at each kind of request something else goes wrong, and everything is made once all the same', async () => {
  const left = Object.entries(faults);
  const met = new Set<string>();
  proxy.meddle((line) => {
    // Each path once: the first creation of each kind, and readings.
    const kind = line.replace(/_[0-9a-z]{26}.*/, '');
    if (met.has(kind) || line.includes('/v1/token')) return undefined;
    met.add(kind);
    const [, fault] = left.shift() ?? [];
    return fault;
  });
  await succeeds(workspace, 'apply', '-auto-approve');
  await succeeds(workspace, 'plan', '-detailed-exitcode');
  assert.deepEqual(left, []);
  await everythingIsThereOnce();
});

test('an answer that takes 10 seconds is waited for', async () => {
  let waited = false;
  proxy.meddle((line) => {
    if (waited || !line.startsWith('GET /v1/projects')) return undefined;
    waited = true;
    return { delayMilliseconds: 10_000 };
  });
  await succeeds(workspace, 'plan', '-detailed-exitcode');
  assert.ok(waited);
});

test('while something else answers, nothing counts as deleted and nothing is taken for the state', async () => {
  proxy.meddle((line) => {
    if (line.startsWith('GET /v1/secrets')) return faults['a page with another content type'];
    if (line.startsWith('GET /v1/deploy-keys')) return faults['JSON of another shape'];
    return undefined;
  });
  const told = await explains(workspace, 'plan');
  for (const what of ['secret', 'deploy key']) {
    const said = new RegExp(
      `Cannot read the ${what} .*?Ebb does not answer\\. GET http:\\S+ failed: .*?Try again`,
    );
    assert.match(told, said);
  }
  proxy.meddle(() => undefined);
  await succeeds(workspace, 'plan', '-detailed-exitcode');
});

test('an API that is down is told with its address and what to check', async () => {
  await proxy.goDown();
  const told = await explains(workspace, 'plan');
  assert.match(told, /Cannot sign in to Ebb.*ECONNREFUSED.*Check "endpoint" \(or EBB_ENDPOINT\)/);
  assert.ok(told.includes(proxy.url));
  await proxy.comeBack();
  await succeeds(workspace, 'plan', '-detailed-exitcode');
});

test('a page in the place of the token endpoint is told as no answer of Ebb', async () => {
  proxy.meddle((line) => (line.includes('/v1/token') ? faults['a page with success'] : undefined));
  const told = await explains(workspace, 'plan');
  assert.match(told, /Cannot sign in to Ebb.*status 200 and text\/html, is not Ebb's.*Check "endpoint"/);
});

test('an API that goes down during an apply and comes back is waited for', async () => {
  await succeeds(workspace, 'destroy', '-auto-approve');
  let down = false;
  proxy.meddle(async (line) => {
    if (down || !line.startsWith('POST /v1/deploy-keys')) return undefined;
    down = true;
    await proxy.goDown();
    setTimeout(() => proxy.comeBack(), 3000);
    return 'lost_request';
  });
  await succeeds(workspace, 'apply', '-auto-approve');
  await succeeds(workspace, 'plan', '-detailed-exitcode');
  await everythingIsThereOnce();
});

test('an API that stays down during an apply is told for each thing, and the next apply goes on from there', async () => {
  await succeeds(workspace, 'destroy', '-auto-approve');
  proxy.meddle((line) => (line.startsWith('POST /v1/secrets') ? 'lost_request' : undefined));
  const { code, output } = await workspace.terraform('apply', '-auto-approve', '-no-color');
  assert.equal(code, 1);
  assert.match(
    explained(output),
    /Cannot create the secret.*Ebb does not answer\. POST \S+\/v1\/secrets failed/,
  );
  proxy.meddle(() => undefined);
  await endsClean(workspace);
  await everythingIsThereOnce();
});
