import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { type JourneyResult, type LiveJourney, runJourney } from '../cli/demo/journey.ts';
import { createNarrator } from '../cli/demo/narrator.ts';
import { timingTable } from '../cli/demo/timings.ts';
import { defaultRuntimeDir } from '../cli/memory-folder.ts';
import type { FileVerdict } from '../cli/verify/verify-file.ts';
import type { AuditEvent } from '../contract/audit.ts';
import { type Canaries, plantedCanaries, searchEverywhere } from './canaries.ts';
import { snapshotOptions } from './heap-snapshot.ts';
import { startPostgres } from './postgres.ts';
import { type ProcessFindings, searchProcesses } from './process-canaries.ts';

const nothingButPath = { PATH: process.env.PATH };
let folder: string;
let told = '';
let result: JourneyResult;
const pids: number[] = [];
let canaries: Canaries;
let found: string[] = [];
let foundWhenPlanted: string[] = [];
let processes: Record<'api' | 'runner', ProcessFindings>;
let audited: AuditEvent[] = [];

/** One run of the main job on PostgreSQL serves all the tests below: each boot of a VM costs seconds. */
before(async () => {
  const postgres = await startPostgres();
  folder = await mkdtemp(join(tmpdir(), 'ebb-journey-'));
  const snapshots = await mkdtemp(join(tmpdir(), 'ebb-snapshots-'));
  try {
    result = await runJourney({
      folder,
      cacheDir: resolve('.ebb', 'cache'),
      databaseUrl: postgres.url,
      nodeOptions: snapshotOptions(snapshots),
      narrator: createNarrator((text) => {
        told += text;
      }),
      signal: AbortSignal.timeout(8 * 60_000),
      async beforeDestroy(live: LiveJourney) {
        for (const pid of Object.values(live.system.processes)) if (pid !== undefined) pids.push(pid);
        canaries = await plantedCanaries(live, { folder, databaseUrl: postgres.url });
        const places = { folder, live, databaseUrl: postgres.url };
        found = await searchEverywhere(canaries, places);
        const planted = join(folder, 'system', 'logs', 'planted');
        await writeFile(
          planted,
          `xx${canaries.privateKey.toString('hex')} ${Buffer.from(`x${live.secret}`).toString('base64')}`,
        );
        foundWhenPlanted = await searchEverywhere(canaries, places);
        await rm(planted);
        processes = await searchProcesses(canaries, live, { folder, snapshots });
        const page = '/v1/audit-events?limit=100';
        audited = (await live.client.get<{ items: AuditEvent[] }>(page)).items.reverse();
      },
    });
  } catch (error) {
    console.error(told);
    throw error;
  } finally {
    await postgres.close();
    await rm(snapshots, { recursive: true, force: true });
  }
});
after(() => rm(folder, { recursive: true, force: true }));

test('a push is built on a VM of its own and passes', () => {
  assert.equal(result.passed.state, 'passed');
  assert.equal(result.passed.trigger, 'push');
  assert.match(told, /deployed \d+ bytes/);
});

test('a commit that breaks a test fails, with the command and its exit code', () => {
  assert.equal(result.failed.state, 'failed');
  assert.equal(result.failed.failed_command, './test.sh');
  assert.equal(result.failed.exit_code, 1);
});

test('every build had a VM of its own, and each VM is gone', () => {
  const builds = [result.passed, result.failed, result.revocation.build];
  assert.equal(new Set(builds.map((build) => build.vm)).size, 3);
  for (const build of builds) assert.notEqual(build.vm_gone_at, null);
});

test('each milestone is reached in order and the table shows it', () => {
  const { queued_at, vm_ready_at, checkout_done_at, first_step_at, finished_at } = result.passed;
  const moments = [queued_at, vm_ready_at, checkout_done_at, first_step_at, finished_at];
  assert.deepEqual(moments, [...moments].sort());
  assert.match(timingTable([result.passed]), /#1 +passed/);
});

test('after apply and builds Terraform has nothing to change', () => {
  assert.equal(result.planExitCode, 0);
});

test('destroying in the middle of a build cancels it and kills its VM', () => {
  assert.equal(result.revocation.build.state, 'cancelled');
});

test('after destroy the source host itself has neither key nor hook, and the token is dead', () => {
  assert.deepEqual(result.revocation.left, { deployKeys: 0, hooks: 0 });
  assert.equal(result.revocation.tokenStatus, 401);
});

test('the receipt of the revocation is signed and holds', () => {
  assert.equal(result.revocation.verified, true);
});

test('the receipts of a build verify when Ebb is gone, and a changed one does not', async () => {
  const { receipts, jwks, log } = result.receipts;
  const verify = async (name: string, content: string) => {
    await writeFile(join(folder, name), content);
    const paths = [
      'verify',
      join(folder, name),
      '--jwks',
      join(folder, 'jwks'),
      '--log',
      join(folder, 'log'),
    ];
    const ebb = spawnSync(resolve('cli', 'ebb'), [...paths, '--json'], {
      encoding: 'utf8',
      env: nothingButPath,
    });
    return { code: ebb.status, ...(JSON.parse(ebb.stdout) as FileVerdict) };
  };
  await writeFile(join(folder, 'jwks'), JSON.stringify(jwks));
  await writeFile(join(folder, 'log'), log);
  const { code, findings } = await verify('receipts', JSON.stringify(receipts));
  const failed = findings.flatMap(({ checks }) => checks.filter(({ ok }) => !ok));
  const [, ...swaps] = (await readFile('/proc/swaps', 'utf8')).trim().split('\n');
  if (swaps.length === 0) assert.deepEqual([code, failed], [0, []]);
  // On a machine with swap nobody may claim that memory stays in memory.
  else assert.match(failed.map(({ name, detail }) => `${name}: ${detail}`).join(), /^outside: .*swaps to/);
  const changed = receipts.map((receipt) => JSON.stringify(receipt).replace(/"payload":".{9}/, '$&A'));
  assert.equal((await verify('changed', changed.join('\n'))).code, 1);
});

test('the secret is masked in the log', () => {
  assert.match(told, /the greeting is: \*\*\*/);
  assert.ok(!told.includes(canaries.secret.toString()));
});

test('no private key, secret or line of source is anywhere but where it may be', () => {
  assert.deepEqual(found, []);
});

test('the search finds what is planted, in hexadecimal and in shifted base64', () => {
  const where = 'in system/logs/planted';
  assert.deepEqual(foundWhenPlanted, [`privateKey ${where}`, `secret ${where}`]);
});

test('the deploy key is in the memory of neither API nor runner once the builds are over; their own keys are', () => {
  for (const { deployKey, ownKey } of Object.values(processes))
    assert.deepEqual({ deployKey, ownKey }, { deployKey: false, ownKey: true });
});

test('neither API nor runner holds on to key, secret or source, and neither may leave a core dump', () => {
  for (const { reachable, coreLimit } of Object.values(processes))
    assert.deepEqual({ reachable, coreLimit }, { reachable: ['url'], coreLimit: '0 0' });
});

test('the audit of the team has each opening of key and secrets, and what was signed', () => {
  const ofPassed = audited.filter(({ subject }) => subject === result.passed.id);
  const [opened, signed, closed, ...secrets] = ofPassed;
  assert.deepEqual(
    [opened?.action, signed?.action, closed?.action],
    ['deploy_key.opened', 'deploy_key.signed', 'deploy_key.closed'],
  );
  assert.deepEqual(
    secrets.map(({ action, detail }) => [action, detail.phase, detail.names]),
    ['test', 'deploy'].map((phase) => ['secrets.opened', phase, ['SHOP_GREETING']]),
  );
});

test('no process and no VM is left', async () => {
  for (const pid of pids) assert.ok(!existsSync(`/proc/${pid}`), `process ${pid} is still there`);
  const vms = await readdir(await defaultRuntimeDir()).catch((): string[] => []);
  for (const build of [result.passed, result.failed, result.revocation.build]) {
    assert.ok(!vms.includes(String(build.vm)));
  }
});
