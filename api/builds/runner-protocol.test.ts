import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { before, beforeEach, test } from 'node:test';
import { reportForTests } from '../../runner/vm/driver-for-tests.ts';
import { proofWithoutDisk } from '../../runner/vm/ramdisk-proof-for-tests.ts';
import { describeApi } from '../../test/describe-api.ts';
import { type Client, created, declareBuildableProject, send, signIn } from '../test-client.ts';
import { insertBuild } from './insert-build.ts';
import { sweepOnce } from './sweep.ts';

const at = '2026-01-02T03:04:05.000Z';
/** All that a runner tells of a VM but its id. */
const ready = { milestone: 'vm_ready', at, proof: proofWithoutDisk, report: reportForTests(at) };

describeApi('the protocol of runners', (given) => {
  let admin: Client;
  let runner: Client;
  let project: Awaited<ReturnType<typeof declareBuildableProject>>;
  let id: string;
  let vm: string;

  before(async () => {
    admin = await signIn(given(), given().keys.admin);
    runner = await signIn(given(), given().keys.runner);
  });
  beforeEach(async () => {
    project = await declareBuildableProject(given(), admin, {
      setup: ['npm ci'],
      test: ['npm test'],
      deploy: [
        { branch: 'main', commands: ['deploy main'] },
        { branch: 'other', commands: ['deploy other'] },
      ],
      environment: { STAGE: 'test' },
      timeout_minutes: 5,
    });
    await created(admin, '/v1/secrets', {
      project_id: project.id,
      name: 'TOKEN',
      value: 'hush',
      phases: ['deploy'],
    });
    id = (await created(admin, '/v1/builds', { project_id: project.id })).id;
    vm = `vm_of_${id}`;
  });

  const ownTeam = async () =>
    await given()
      .context.database.selectFrom('project')
      .select('team_id as id')
      .where('id', '=', project.id)
      .executeTakeFirstOrThrow();
  const read = async () => (await admin.call('GET', `/v1/builds/${id}`)).body;
  /** Claims the build as a runner that holds its lease; gives the specification and a client of the build's token. */
  async function claim(holder = `runner-1/${randomUUID()}`) {
    const answer = await runner.call('POST', `/v1/builds/${id}/claim`, { lease_holder: holder });
    assert.equal(answer.status, 200, answer.text);
    const authorization = `Bearer ${answer.body.token}`;
    const report = (what: string, body: object) =>
      send(given(), {
        method: 'POST',
        url: `/v1/builds/${id}/${what}`,
        headers: { authorization },
        payload: { attempt: answer.body.attempt, ...body },
      });
    const log = (offset: number, text: string) =>
      send(given(), {
        method: 'POST',
        url: `/v1/builds/${id}/log?attempt=${answer.body.attempt}&offset=${offset}`,
        headers: { authorization, 'content-type': 'application/octet-stream' },
        payload: text,
      });
    return { specification: answer.body, token: answer.body.token as string, report, log };
  }
  const logText = async () => (await admin.call('GET', `/v1/builds/${id}/log`)).text;

  test('a build of a fork that was let in gets no secret and no deployment, and none before it is let in', async () => {
    const { context } = given();
    const { id: teamId } = await ownTeam();
    const row = await context.database.transaction().execute(
      async (transaction) =>
        await insertBuild(
          transaction,
          {
            ...{ projectId: project.id, teamId, trigger: 'pull_request' },
            // A fork may well call its branch main.
            ...{ ref: 'refs/heads/main', branch: 'main', commit: project.head, message: 'From a fork' },
            pullRequest: { number: 7, fromFork: true },
          },
          context.now(),
        ),
    );
    id = row.id;
    const early = await runner.call('POST', `/v1/builds/${id}/claim`, { lease_holder: 'runner-1/early' });
    assert.deepEqual([early.status, early.body.code], [409, 'not_claimable']);
    assert.equal(await context.queue.place(id), undefined);
    assert.equal((await admin.call('POST', `/v1/builds/${id}/approve`)).status, 200);
    const { specification } = await claim();
    assert.deepEqual(specification.secrets, []);
    assert.deepEqual(
      specification.steps.map(({ phase }: { phase: string }) => phase),
      ['setup', 'test'],
    );
  });

  test('a claim gives all that the build needs, with everything secret sealed', async () => {
    const { specification } = await claim();
    assert.deepEqual(
      [specification.commit, specification.branch, specification.attempt, specification.timeout_seconds],
      [project.head, 'main', 1, 300],
    );
    assert.deepEqual(specification.environment, { STAGE: 'test' });
    assert.deepEqual(specification.steps, [
      { phase: 'setup', commands: ['npm ci'] },
      { phase: 'test', commands: ['npm test'] },
      { phase: 'deploy', commands: ['deploy main'] },
    ]);
    assert.deepEqual(specification.secrets[0].phases, ['deploy']);
    const sealed = [
      specification.secrets[0].value,
      specification.deploy_key.private_key,
      specification.wrapped_private_key,
    ];
    for (const text of sealed) assert.equal(text.split('.').length, 5, 'a compact JWE');
    assert.ok(!JSON.stringify(specification).includes('hush'));
    assert.ok(specification.clone.host_keys.length > 0);
    assert.equal((await read()).state, 'starting');
  });

  test('of many claims of one build a single one succeeds', async () => {
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, index) =>
        runner.call('POST', `/v1/builds/${id}/claim`, { lease_holder: `runner-${index}` }),
      ),
    );
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409, 409, 409, 409, 409]);
    const late = await runner.call('POST', `/v1/builds/${id}/claim`, { lease_holder: 'late' });
    assert.deepEqual([late.status, late.body.code], [409, 'not_claimable']);
  });

  test("a person's token claims nothing, and a runner's key reports nothing", async () => {
    assert.equal((await admin.call('POST', `/v1/builds/${id}/claim`, { lease_holder: 'me' })).status, 403);
    await claim();
    const finish = await runner.call('POST', `/v1/builds/${id}/finish`, { attempt: 1, outcome: 'passed' });
    assert.deepEqual([finish.status, finish.body.code], [403, 'wrong_build']);
  });

  test('the token of one build opens no other', async () => {
    const { token } = await claim();
    const other = await created(admin, '/v1/builds', { project_id: project.id });
    const attempts = [
      ['POST', `/v1/builds/${other.id}/claim`, { lease_holder: 'r' }],
      ['POST', `/v1/builds/${other.id}/finish`, { attempt: 0, outcome: 'passed' }],
      ['GET', `/v1/builds/${other.id}/log`, undefined],
      ['GET', '/v1/projects', undefined],
    ] as const;
    for (const [method, url, payload] of attempts) {
      const headers = { authorization: `Bearer ${token}` };
      const answer = await send(given(), { method, url, headers, ...(payload ? { payload } : {}) });
      assert.equal(answer.status, 403, url);
    }
  });

  test('milestones move the build on; the first report of each counts', async () => {
    const { report } = await claim();
    assert.equal((await report('milestones', { ...ready, vm })).status, 204);
    assert.equal((await report('milestones', { ...ready, vm, at: '2027-01-01T00:00:00Z' })).status, 204);
    const second = await report('milestones', { ...ready, vm: `${vm}_b` });
    assert.deepEqual([second.status, second.body.code], [409, 'other_vm']);
    const build = await read();
    assert.deepEqual([build.state, build.vm, build.vm_ready_at], ['running', vm, at]);
  });

  test('a VM is ready with all that it is judged by, or not at all', async () => {
    const { report } = await claim();
    for (const field of ['vm', 'proof', 'report']) {
      const { status, body } = await report('milestones', { ...ready, vm, [field]: undefined });
      assert.deepEqual([status, body.errors[0].pointer], [422, `#/${field}`]);
      assert.match(body.detail, new RegExp(`vm_ready is reported with ${field}: .*Add it`));
    }
    assert.equal((await report('milestones', { ...ready, vm, proof: null })).status, 422);
    assert.deepEqual([(await read()).state, (await read()).vm_ready_at], ['starting', null]);
  });

  test('a build without a VM neither passes nor fails, and no command of it did', async () => {
    const { report } = await claim();
    for (const outcome of [
      { outcome: 'passed' },
      { outcome: 'failed' },
      { outcome: 'errored', failed_command: 'npm test', exit_code: 1 },
    ]) {
      const { status, body } = await report('finish', outcome);
      assert.deepEqual([status, body.code], [409, 'no_vm'], outcome.outcome);
    }
    assert.equal((await report('finish', { outcome: 'errored', reason: 'No VM boots.' })).status, 204);
    assert.deepEqual([(await read()).state, (await read()).vm], ['errored', null]);
  });

  test('a build that has no VM yet says why, until it has one', async () => {
    const { report } = await claim();
    assert.equal((await report('waiting', { reason: 'No room anywhere.' })).status, 204);
    assert.deepEqual([(await read()).state, (await read()).reason], ['starting', 'No room anywhere.']);
    assert.equal((await report('waiting', { attempt: 7, reason: 'Late.' })).status, 403);
    await report('milestones', { ...ready, vm });
    assert.equal((await read()).reason, null);
    await report('waiting', { reason: 'Too late.' });
    assert.equal((await read()).reason, null);
  });

  test('an end is taken once, with command and code; reporting the same again is answered the same', async () => {
    const { report } = await claim();
    await report('milestones', { ...ready, vm });
    await report('phase', { phase: 'test' });
    const end = {
      outcome: 'failed',
      failed_command: 'npm test',
      exit_code: 3,
      reason: 'npm test ended with 3.',
    };
    assert.equal((await report('finish', end)).status, 204);
    assert.equal((await report('finish', end)).status, 204);
    const late = await report('finish', { outcome: 'passed' });
    assert.deepEqual([late.status, late.body.code], [409, 'already_over']);
    const build = await read();
    assert.deepEqual(
      [build.state, build.phase, build.failed_command, build.exit_code, build.reason],
      ['failed', 'test', 'npm test', 3, 'npm test ended with 3.'],
    );
  });

  test('a lost attempt is tried again, on what the first one logged; its runner is not heard any more', async () => {
    const first = await claim();
    await first.log(0, 'one\n');
    await first.report('finish', { outcome: 'lost', reason: 'The VM died.' });
    const waiting = await read();
    assert.deepEqual([waiting.state, waiting.vm, waiting.phase], ['queued', null, null]);
    const second = await claim();
    assert.deepEqual([second.specification.attempt, second.specification.log_offset], [2, 4]);
    for (const [what, body] of [
      ['milestones', { milestone: 'vm_ready', at }],
      ['phase', { phase: 'setup' }],
      ['finish', { outcome: 'passed' }],
    ] as const) {
      assert.equal((await first.report(what, body)).status, 409, what);
    }
    const late = await first.log(4, 'what the first one still had\n');
    assert.deepEqual([late.status, late.body.code], [409, 'old_attempt']);
    await second.log(4, 'two\n');
    await second.report('milestones', { ...ready, vm });
    assert.equal((await second.report('finish', { outcome: 'passed' })).status, 204);
    assert.equal(await logText(), 'one\ntwo\n');
  });

  test('after three lost attempts the build ends errored and says what to do', async () => {
    for (let attempt = 1; attempt <= 3; attempt++) {
      const { report } = await claim();
      assert.equal((await report('finish', { outcome: 'lost', reason: 'The VM died.' })).status, 204);
    }
    const { state, reason } = await read();
    assert.equal(state, 'errored');
    assert.match(reason, /The VM died. Given up after 3 attempts. Start the build again/);
  });

  test('a deployment is begun once: what is lost after it is never tried again', async () => {
    const { report } = await claim();
    await report('milestones', { ...ready, vm });
    assert.equal((await report('phase', { phase: 'deploy' })).status, 204);
    assert.equal((await report('phase', { phase: 'deploy' })).status, 204, 'the answer may have got lost');
    await report('finish', { outcome: 'lost', reason: 'The VM died.' });
    const { state, reason } = await read();
    assert.equal(state, 'errored');
    assert.match(reason, /during the deployment, which Ebb never runs twice/);
  });

  test('a deployment begins only while the build runs and nobody asked to cancel it', async () => {
    const { report } = await claim();
    const early = await report('phase', { phase: 'deploy' });
    assert.deepEqual([early.status, early.body.code], [409, 'not_running']);
    await report('milestones', { ...ready, vm });
    await admin.call('POST', `/v1/builds/${id}/cancel`);
    const late = await report('phase', { phase: 'deploy' });
    assert.deepEqual([late.status, late.body.code], [409, 'cancelled']);
    assert.equal((await read()).phase, null);
  });

  test('who claimed a build may ask again for an answer that got lost, and gets the same attempt', async () => {
    const first = await claim('runner-1/a');
    const again = await claim('runner-1/a');
    assert.deepEqual([first.specification.attempt, again.specification.attempt], [1, 1]);
    await again.report('milestones', { ...ready, vm });
    const late = await runner.call('POST', `/v1/builds/${id}/claim`, { lease_holder: 'runner-1/a' });
    assert.deepEqual([late.status, late.body.code], [409, 'not_claimable']);
  });

  test('a build that is being cancelled ends cancelled when its runner is lost, too', async () => {
    const { report } = await claim();
    const asked = await admin.call('POST', `/v1/builds/${id}/cancel`);
    assert.deepEqual([asked.status, asked.body.state], [202, 'starting']);
    await report('finish', { outcome: 'lost', reason: 'The VM died.' });
    assert.equal((await read()).state, 'cancelled');
  });

  test('a runner that lets its lease run out loses the build to the next', async () => {
    const { queue, now } = given().context;
    await queue.forget(id);
    await queue.enqueue({ build: id, project: project.id, team: 'team_x' }, 1);
    let leased = await queue.claim('runner-1', 1);
    while (leased && leased.build !== id) leased = await queue.claim('runner-1', 1);
    await claim('runner-1');
    while (!(await queue.expired()).includes(id));
    await sweepOnce({ ...given().context, now: () => new Date(now().getTime() + 60_000) });
    const { state, reason } = await read();
    assert.equal(state, 'queued');
    assert.match(reason, /Waiting|runner of this build is gone/);
  });

  test('a build that was given back while its lease could not be is waiting again after a sweep', async () => {
    const { queue, now } = given().context;
    let leased = await queue.claim('dead', 1);
    while (leased && leased.build !== id) leased = await queue.claim('dead', 1);
    const away = { ...queue, requeue: () => Promise.reject(new Error('Redis is away.')) };
    const { report } = await claim('dead');
    given().context.queue = away;
    try {
      assert.equal((await report('finish', { outcome: 'lost', reason: 'The VM died.' })).status, 204);
    } finally {
      given().context.queue = queue;
    }
    while (!(await queue.expired()).includes(id));
    const later = { ...given().context, now: () => new Date(now().getTime() + 60_000) };
    await Promise.all([sweepOnce(later), sweepOnce(later)]);
    const entries = (await queue.list()).filter((entry) => entry.build === id);
    assert.deepEqual(entries, [{ build: id, state: 'waiting' }]);
  });

  test('raising the concurrency of a project frees the builds that wait for it', async () => {
    const { queue } = given().context;
    await created(admin, '/v1/builds', { project_id: project.id });
    const claimed: string[] = [];
    for (let entry = await queue.claim('r', 60_000); entry; entry = await queue.claim('r', 60_000))
      claimed.push(entry.project);
    assert.equal(claimed.filter((each) => each === project.id).length, 1);
    const { headers } = await admin.call('GET', `/v1/projects/${project.id}`);
    const ifMatch = { 'if-match': String(headers.etag) };
    await admin.call('PATCH', `/v1/projects/${project.id}`, { concurrency: 2 }, ifMatch);
    assert.equal((await queue.claim('r', 60_000))?.project, project.id);
  });

  test('parts of a log come in any number of times and in one order', async () => {
    const { log } = await claim();
    assert.equal((await log(0, 'hello ')).status, 204);
    assert.equal((await log(0, 'hello ')).status, 204);
    assert.equal((await log(3, 'lo world')).status, 204);
    const gap = await log(100, 'x');
    assert.deepEqual([gap.status, gap.body.code], [409, 'log_gap']);
    assert.match(gap.body.detail, /ends at 11/);
    assert.equal(await logText(), 'hello world');
    assert.equal((await admin.call('GET', `/v1/builds/${id}/log?offset=6`)).text, 'world');
    assert.equal((await admin.call('GET', `/v1/builds/${id}/log?offset=500`)).text, '');
    const tooMuch = await log(64 * 1024 * 1024, 'x');
    assert.deepEqual([tooMuch.status, tooMuch.body.code], [413, 'log_limit']);
  });

  test('a VM that another build had is refused, and the build goes on with another one', async () => {
    const { report } = await claim();
    await report('milestones', { ...ready, vm });
    id = (await created(admin, '/v1/builds', { project_id: project.id })).id;
    const other = await claim();
    const refused = await other.report('milestones', { ...ready, vm });
    assert.deepEqual([refused.status, refused.body.code], [409, 'vm_used']);
    assert.deepEqual([(await read()).state, (await read()).vm_ready_at], ['starting', null]);
    await other.report('milestones', { ...ready, vm: `${vm}_b` });
    assert.deepEqual([(await read()).state, (await read()).vm], ['running', `${vm}_b`]);
  });

  test('when the VM of a finished build is gone, there are signed receipts of what the runner was given and saw', async () => {
    const { report } = await claim();
    const template = { made_at: at, sha256: 'd'.repeat(64) };
    const seen = { ...ready.report, template, runner: { name: 'runner-1', version: '9.9.9' } };
    await report('milestones', { ...ready, vm, report: seen });
    const changed = await admin.call('PATCH', `/v1/projects/${project.id}`, { setup: ['something else'] });
    assert.equal(changed.status, 200, changed.text);
    await report('finish', { outcome: 'passed' });
    const exit = { code: null, signal: 'SIGKILL' };
    await report('milestones', { milestone: 'vm_gone', at, exit });
    const { body } = await admin.call('GET', `/v1/builds/${id}/receipts`);
    const [provenance, ramdisk] = body.items.map(
      ({ envelope }: { envelope: { payload: string } }) =>
        JSON.parse(Buffer.from(envelope.payload, 'base64').toString()).predicate,
    );
    const { externalParameters, internalParameters, resolvedDependencies } = provenance.buildDefinition;
    assert.deepEqual(externalParameters.commands, {
      setup: ['npm ci'],
      test: ['npm test'],
      deploy: ['deploy main'],
    });
    assert.deepEqual(externalParameters.environment, ['STAGE']);
    assert.deepEqual(externalParameters.secrets, [{ name: 'TOKEN', phases: ['deploy'] }]);
    assert.deepEqual([internalParameters.attempt, internalParameters.timeoutSeconds], [1, 300]);
    assert.deepEqual(
      resolvedDependencies.map(({ name }: { name: string }) => name),
      ['source', 'image/base/initramfs', 'image/base/kernel'],
    );
    assert.equal(provenance.runDetails.builder.version.runner, '9.9.9');
    assert.deepEqual([ramdisk.vm.report, ramdisk.vm.exit], [seen, exit]);
    assert.ok(!JSON.stringify(provenance).includes('hush'));
  });

  test('an attempt that is tried again leaves nothing of its VM to the next', async () => {
    const first = await claim();
    await first.report('milestones', { ...ready, vm });
    await first.report('finish', { outcome: 'lost' });
    const second = await claim();
    await second.report('finish', { outcome: 'errored', reason: 'No VM.' });
    const row = await given()
      .context.database.selectFrom('build')
      .select(['vm', 'proof', 'vm_report', 'vm_exit'])
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    assert.deepEqual(row, { vm: null, proof: null, vm_report: null, vm_exit: null });
  });

  test('the VM of a lost attempt is known to its end: its runner may tell it, also while the next one builds', async () => {
    const ends = async () =>
      await given()
        .context.database.selectFrom('vm_use')
        .select(['vm', 'attempt', 'gone_at'])
        .where('build_id', '=', id)
        .orderBy('attempt')
        .execute();
    const first = await claim();
    await first.report('milestones', { ...ready, vm });
    await first.report('finish', { outcome: 'lost' });
    const second = await claim();
    await second.report('milestones', { ...ready, vm: `${vm}_b` });
    const gone = { milestone: 'vm_gone', at, exit: { code: null, signal: 'SIGKILL' } };
    assert.equal((await first.report('milestones', gone)).status, 204);
    assert.deepEqual(await ends(), [
      { vm, attempt: 1, gone_at: new Date(at) },
      { vm: `${vm}_b`, attempt: 2, gone_at: null },
    ]);
    assert.equal((await read()).vm_gone_at, null, 'that of the attempt that builds lives');
  });

  test('a build of a project without a deploy key ends with what to do', async () => {
    const [key] = (await admin.call('GET', `/v1/deploy-keys?project_id=${project.id}`)).body.items;
    await admin.call('DELETE', `/v1/deploy-keys/${key.id}`);
    const answer = await runner.call('POST', `/v1/builds/${id}/claim`, { lease_holder: 'runner-1' });
    assert.deepEqual([answer.status, answer.body.code], [409, 'cannot_build']);
    const { state, reason } = await read();
    assert.equal(state, 'errored');
    assert.match(reason, /Declare an ebb_deploy_key/);
  });

  test('a report with a wrong attempt, milestone or outcome names the field', async () => {
    const { report } = await claim();
    const cases = [
      [await report('milestones', { milestone: 'lunch', at }), '#/milestone'],
      [await report('milestones', { milestone: 'vm_ready', at: 'noon' }), '#/at'],
      [await report('finish', { outcome: 'great' }), '#/outcome'],
      [await report('phase', { phase: 'lunch' }), '#/phase'],
    ] as const;
    for (const [{ status, body }, pointer] of cases)
      assert.deepEqual([status, body.errors[0].pointer], [422, pointer]);
    assert.equal((await report('finish', { attempt: 7, outcome: 'passed' })).status, 403);
  });
});
