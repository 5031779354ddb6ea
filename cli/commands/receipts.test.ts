import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { created, declareBuildableProject, signIn } from '../../api/test-client.ts';
import { openTestContext, type TestContext } from '../../api/test-context.ts';
import { createControlPlane } from '../../runner/build/control-plane.ts';
import { reportForTests } from '../../runner/vm/driver-for-tests.ts';
import { proofWithoutDisk } from '../../runner/vm/ramdisk-proof-for-tests.ts';

let api: TestContext;
let url: string;
let build: string;
let name: string;
const signal = AbortSignal.timeout(60_000);

/** A build that a runner reports as one does, without a VM. */
before(async () => {
  api = await openTestContext();
  url = await api.app.listen({ host: '127.0.0.1', port: 0 });
  const admin = await signIn(api, api.keys.admin);
  const project = await declareBuildableProject(api, admin, { test: ['npm test'] });
  name = `acme/${project.name}`;
  build = (await created(admin, '/v1/builds', { project_id: project.id })).id;
  const controlPlane = createControlPlane({ url, apiKey: api.keys.runner });
  const specification = await controlPlane.claim(build, 'runner-1/a', signal);
  const reports = controlPlane.build(specification);
  const report = reportForTests();
  const now = async () => {
    await delay(2);
    return new Date().toISOString();
  };
  const ready = { milestone: 'vm_ready' as const, at: await now(), vm: 'vm_1' };
  await reports.milestone({ ...ready, proof: proofWithoutDisk, report }, signal);
  await reports.appendLog(0, Buffer.from('ebb: passed\n'), signal);
  await reports.finish({ outcome: 'passed' }, signal);
  const exit = { code: null, signal: 'SIGKILL' };
  await reports.milestone({ milestone: 'vm_gone', at: await now(), exit }, signal);
});
after(() => api.close());

async function ebb(words: string[], input?: string) {
  const program = fileURLToPath(new URL('../ebb.ts', import.meta.url));
  const env = { EBB_ENDPOINT: url, EBB_API_KEY: api.keys.admin };
  const running = promisify(execFile)(process.execPath, [program, ...words], { env });
  running.child.stdin?.end(input);
  return await running.then(
    ({ stdout }) => ({ code: 0, stdout, stderr: '' }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  );
}

test('receipts of a build come as lines that ebb verify takes, with the keys that the API publishes', async () => {
  const { stdout } = await ebb(['receipts', build]);
  const kinds = stdout
    .trim()
    .split('\n')
    .map((line: string) => JSON.parse(line).kind);
  assert.deepEqual(kinds, ['provenance', 'ramdisk']);
  const verified = await ebb(['verify', '-'], stdout);
  assert.match(verified.stdout, /✔ same-time .*\nEverything holds\.\n$/, verified.stdout);
  assert.equal(verified.code, 0);
});

test('builds are listed, and the log of the last one found, by the name of the project', async () => {
  const listed = await ebb(['builds', name]);
  assert.match(listed.stdout, new RegExp(`^${build}  #1  passed  `), listed.stderr);
  const none = await ebb(['builds', 'acme/none']);
  assert.match(none.stderr, /There is no project acme\/none\. Name it team\/project/);
  const many = await ebb(['builds', name, '-n', '201']);
  assert.match(many.stderr, /from 1 to 200/);
  assert.match((await ebb(['receipts', name])).stdout, /"kind":"provenance"/);
});

test('what has no receipts is said so', async () => {
  const { code, stderr } = await ebb(['receipts', 'prj_none']);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /There is no receipt of prj_none\. If that is the right name: one is signed when a VM is gone/,
  );
});
