import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { sql } from 'kysely';
import { describeApi } from '../../test/describe-api.ts';
import { claimBuild } from '../builds/claim-build.ts';
import { transition } from '../builds/state-machine.ts';
import type { ApiContext } from '../context.ts';
import { appendLog } from '../logs/append-log.ts';
import { sendMails } from '../mail/send-mails.ts';
import { type Server, startServer } from '../server.ts';
import {
  addOperator,
  addTeam,
  type Client,
  created,
  declareBuildableProject,
  signIn,
} from '../test-client.ts';
import { endGrants } from './end-grant.ts';

const never = new AbortController().signal;
const endsAt = (afterMs: number) => `${new Date(Date.now() + afterMs).toISOString().slice(0, 19)}Z`;
const dayMs = 24 * 3_600_000;

describeApi('the use of an access grant', (given) => {
  let owner: Client;
  let crew: Client;
  let crewKeyId: string;
  let server: Server;
  let shiftMs = 0;
  let project: Awaited<ReturnType<typeof declareBuildableProject>>;
  let build: { id: string; project_id: string };

  before(async () => {
    const { context } = given();
    context.now = () => new Date(Date.now() + shiftMs);
    owner = await signIn(given(), given().keys.admin);
    crew = await signIn(given(), await addOperator(given(), ['core_crew']));
    const named = context.database.selectFrom('api_key').select('id').where('name', '=', 'Grace of the crew');
    crewKeyId = (await named.executeTakeFirstOrThrow()).id;
    server = await startServer({ context, listen: { host: '127.0.0.1', port: 0 } });
  });
  after(() => server?.close());
  beforeEach(async () => {
    shiftMs = 0;
    given().mails.length = 0;
    await given().context.database.deleteFrom('mail').execute();
    project = await declareBuildableProject(given(), owner, {
      environment: { SHOP: 'berlin' },
      test: ['make'],
    });
    build = await newBuild(project.id, 'what the build printed\n');
  });

  async function newBuild(projectId: string, text: string) {
    const { id } = await created(owner, '/v1/builds', { project_id: projectId });
    await transition(given().context.database, id, 'claim', 'starting');
    await appendLog(
      given().context,
      { id, project_id: projectId },
      { attempt: 0, offset: 0 },
      Buffer.from(text),
    );
    return { id, project_id: projectId };
  }
  async function give(more: object = {}) {
    const grant = await created(owner, '/v1/access-grants', {
      ...{ project_id: project.id, reason: 'A case', scope: ['logs'], ends_at: endsAt(dayMs) },
      notify: ['ada@example.com', 'bob@example.com'],
      ...more,
    });
    return grant.id;
  }
  const use = (grant: string, path: string, who = crew) =>
    who.call('GET', `/v1/access-grants/${grant}/${path}`);
  const events = async (action: string, subject: string, who = owner) => {
    const { items } = (await who.call('GET', `/v1/audit-events?subject=${subject}`)).body;
    return items.filter((event: { action: string }) => event.action === action);
  };
  async function refusedAs(code: string, grant: string, path: string, who = crew) {
    await sendMails(given().context, never);
    const before = given().mails.length;
    const answer = await use(grant, path, who);
    assert.equal(answer.body?.code, code, answer.text);
    assert.ok(!answer.text.includes('what the build printed'));
    await sendMails(given().context, never);
    assert.equal(given().mails.length, before, 'a refusal is no use');
    return answer;
  }

  test('it opens builds, a build, its log and the environment, each told by audit and mail', async () => {
    const grant = await give({ scope: ['logs', 'environment'] });
    assert.equal((await use(grant, 'builds')).body.items[0].id, build.id);
    assert.equal((await use(grant, `builds/${build.id}`)).body.id, build.id);
    const log = await use(grant, `builds/${build.id}/log`);
    assert.equal(log.text, 'what the build printed\n');
    const environment = await use(grant, `projects/${project.id}/environment`);
    assert.partialDeepStrictEqual(environment.body, { environment: { SHOP: 'berlin' }, test: ['make'] });
    const uses = await events('access_grant.used', grant);
    assert.deepEqual(uses.map(({ detail }: { detail: { what: string } }) => detail.what).reverse(), [
      'builds.list',
      'build.read',
      'build.log',
      'project.environment',
    ]);
    assert.partialDeepStrictEqual(uses[1], {
      actor: crewKeyId,
      detail: { of: build.id, key_name: 'Grace of the crew', request_id: log.headers['x-request-id'] },
    });
    assert.equal(await sendMails(given().context, never), 8);
    assert.deepEqual(
      new Set(given().mails.map(({ to }) => to)),
      new Set(['ada@example.com', 'bob@example.com']),
    );
    for (const { subject, text } of given().mails) {
      assert.equal(subject, `Ebb: your access grant ${grant} was used`);
      assert.ok(
        !/what the build printed|berlin|A case/.test(text),
        'a mail tells of the use and shows nothing',
      );
    }
  });

  test('what the audit cannot tell does not happen', async () => {
    const grant = await give();
    const { database } = given().context;
    await sql`alter table audit_event rename to audit_event_away`.execute(database);
    const answer = await use(grant, `builds/${build.id}/log`);
    await sql`alter table audit_event_away rename to audit_event`.execute(database);
    assert.equal(answer.status, 500);
    assert.ok(!answer.text.includes('what the build printed'));
    assert.equal(await sendMails(given().context, never), 0, 'nor is anybody told of what did not happen');
  });

  test('each check that fails is named, audited with the team, and opens nothing', async () => {
    const grant = await give();
    const operator = await signIn(given(), await addOperator(given(), ['operator']));
    const other = await declareBuildableProject(given(), owner);
    const foreign = await newBuild(other.id, 'foreign');
    const stranger = await signIn(given(), await addTeam(given(), `stranger-${grant.slice(-6)}`));
    const log = `builds/${build.id}/log`;
    assert.equal((await refusedAs('not_core_crew', grant, log, operator)).status, 403);
    await refusedAs('not_core_crew', grant, log, stranger);
    await refusedAs('not_core_crew', grant, log, owner);
    await refusedAs('grant_scope', grant, `projects/${project.id}/environment`);
    await refusedAs('grant_project', grant, `builds/${foreign.id}/log`);
    await refusedAs('grant_project', grant, `builds?project_id=${other.id}`);
    await refusedAs('grant_team', grant, 'builds/bld_none/log');
    await refusedAs('not_found', 'grant_none', log);
    const codes = (await events('access_grant.refused', grant)).map(
      ({ detail }: { detail: { code: string } }) => detail.code,
    );
    assert.deepEqual(
      new Set(codes),
      new Set(['not_core_crew', 'grant_scope', 'grant_project', 'grant_team']),
    );
    assert.deepEqual(await events('access_grant.used', grant), []);
    assert.equal((await events('access_grant.refused', grant, stranger)).length, 1, 'his own team is told');
  });

  test('nobody’s tries hide another’s, and what names nothing fills nobody’s trail', async () => {
    const grant = await give();
    const of = (index: number) => `${index}`.padStart(3, '0');
    for (let index = 0; index < 30; index += 1) await use(grant, `builds/bld_${of(index)}/log`);
    for (let index = 0; index < 30; index += 1) await use(`grant_${of(index)}`, 'builds');
    await use(grant, `projects/${project.id}/environment`);
    const operator = await signIn(given(), await addOperator(given(), ['operator']));
    await use(grant, `builds/${build.id}/log`, operator);
    const refused = () => events('access_grant.refused', grant);
    const things = async () =>
      Object.groupBy(await refused(), ({ detail }: { detail: { of: string } }) => detail.of);
    const { unknown = [], [project.id]: environment = [], [build.id]: log = [] } = await things();
    assert.deepEqual([unknown.length, environment.length, log.length], [10, 1, 1]);
    await given().context.auditRefusal.flush({ all: true });
    const [last] = (await things()).unknown ?? [];
    assert.equal((last as { detail: { unrecorded_before?: number } }).detail.unrecorded_before, 20);
  });

  test('a build of another team is not there for this grant', async () => {
    const grant = await give({ project_id: undefined });
    const other = await signIn(given(), await addTeam(given(), `second-${grant.slice(-6)}`));
    const theirs = await declareBuildableProject(given(), other);
    const { id } = await created(other, '/v1/builds', { project_id: theirs.id });
    await refusedAs('grant_team', grant, `builds/${id}/log`);
    await refusedAs('grant_team', grant, `builds?project_id=${theirs.id}`);
  });

  test('a grant that ended a second ago is refused, also after the clock went back', async () => {
    const grant = await give({ ends_at: endsAt(60_000) });
    shiftMs = 59_000 - 1_500;
    assert.equal((await use(grant, `builds/${build.id}/log`)).status, 200);
    shiftMs = 61_000;
    assert.match(
      (await refusedAs('grant_ended', grant, `builds/${build.id}/log`)).body.detail,
      /ended at 20/,
    );
    shiftMs = 0;
    await refusedAs('grant_ended', grant, `builds/${build.id}/log`);
    assert.equal((await events('access_grant.ended', grant)).length, 1);
  });

  test('a grant that was taken back, and one of a revoked project, open nothing', async () => {
    const grant = await give();
    const whole = await give({ project_id: undefined });
    await owner.call('DELETE', `/v1/access-grants/${grant}`);
    await refusedAs('grant_taken_back', grant, `builds/${build.id}/log`);
    await transition(given().context.database, build.id, 'end', 'errored', { finished_at: new Date() });
    await owner.call('DELETE', `/v1/projects/${project.id}`);
    await refusedAs('project_revoked', whole, `builds/${build.id}/log`);
    const { items } = (await use(whole, 'builds')).body;
    assert.ok(!items.some((item: { project_id: string }) => item.project_id === project.id));
  });

  test('a revocation ends the grants of a project, and of a team, once, with what was begun under them', async () => {
    const { context } = given();
    const ofProject = await give();
    const stream = await follow(ofProject);
    await stream.until('what the build printed');
    const revoking = { revoking_at: new Date() };
    const { team_id: teamId } = await context.database
      .updateTable('project')
      .set(revoking)
      .where('id', '=', project.id)
      .returning('team_id')
      .executeTakeFirstOrThrow();
    await print(23, 'printed after that');
    await stream.over;
    assert.ok(!stream.text().includes('printed after that'));
    await refusedAs('grant_revoked', ofProject, 'builds');
    for (let count = 0; count < 2; count += 1) await endGrants(context, never);
    assert.equal((await events('access_grant.ended', ofProject)).length, 1);

    const ofTeam = await give({ project_id: undefined });
    const team = (set: { revoking_at: Date | null }) =>
      context.database.updateTable('team').set(set).where('id', '=', teamId).execute();
    await team(revoking);
    try {
      await refusedAs('grant_revoked', ofTeam, 'builds');
    } finally {
      await team({ revoking_at: null });
    }
  });

  test('a crew key that is revoked ends at once', async () => {
    const grant = await give();
    const gone = await signIn(given(), await addOperator(given(), ['core_crew']));
    await given()
      .context.database.updateTable('api_key')
      .set({ revoked_at: new Date() })
      .where('name', '=', 'Grace of the crew')
      .where('id', '<>', crewKeyId)
      .execute();
    assert.equal((await use(grant, 'builds', gone)).status, 401);
  });

  async function follow(grant: string) {
    const headers = { authorization: `Bearer ${crew.token}` };
    const answer = await fetch(`${server.url}/v1/access-grants/${grant}/builds/${build.id}/events`, {
      headers,
    });
    assert.equal(answer.status, 200);
    let text = '';
    let heard = () => {};
    const over = (async () => {
      for await (const chunk of answer.body ?? []) {
        text += Buffer.from(chunk).toString();
        heard();
      }
    })();
    return {
      over,
      text: () => text,
      until: (part: string) =>
        new Promise<void>((resolve) => {
          heard = () => void (text.includes(part) && resolve());
          heard();
        }),
    };
  }
  const print = (offset: number, text: string) =>
    appendLog(given().context, build, { attempt: 0, offset }, Buffer.from(text));

  test('a stream under a grant stops when the team takes the grant back', async () => {
    const grant = await give();
    const stream = await follow(grant);
    await stream.until('what the build printed');
    await owner.call('DELETE', `/v1/access-grants/${grant}`);
    await print(23, 'printed after that');
    await stream.over;
    assert.ok(!stream.text().includes('printed after that'));
  });

  test('a stream under a grant stops when its time is over', async () => {
    const grant = await give({ ends_at: endsAt(3_600_000) });
    const stream = await follow(grant);
    await stream.until('what the build printed');
    shiftMs = 3_600_000;
    await print(23, 'printed after that');
    await stream.over;
    assert.ok(!stream.text().includes('printed after that'));
    assert.equal((await events('access_grant.ended', grant)).length, 1);
  });

  const run = (grant: string, more: object = {}) =>
    crew.call('POST', `/v1/access-grants/${grant}/projects/${project.id}/source-runs`, {
      ...{ commit: project.head, commands: ['ls -la', 'make -n'] },
      ...more,
    });
  const claim = (id: string, context: ApiContext = given().context) =>
    claimBuild(context, { keyId: 'key_runner', teamId: 'team_x', scopes: ['runner'] }, id, `lease ${id}`);

  test('source: the crew’s commands run without secrets, environment and deployment, seen by the team', async () => {
    await created(owner, '/v1/secrets', { project_id: project.id, name: 'TOKEN', value: 'hush' });
    const deploy = [{ branch: 'main', commands: ['./deploy'] }];
    await owner.call('PATCH', `/v1/projects/${project.id}`, { deploy });
    const grant = await give({ scope: ['source'] });
    const made = await run(grant);
    assert.equal(made.status, 201, made.text);
    assert.partialDeepStrictEqual(made.body, { trigger: 'support', access_grant_id: grant, state: 'queued' });
    const specification = await claim(made.body.id);
    assert.deepEqual(specification.secrets, []);
    assert.deepEqual(specification.environment, {});
    assert.deepEqual(specification.steps, [{ phase: 'test', commands: ['ls -la', 'make -n'] }]);
    const { items } = (await owner.call('GET', `/v1/builds?project_id=${project.id}`)).body;
    assert.equal(items[0].id, made.body.id);
    const [told] = await events('access_grant.used', grant);
    assert.deepEqual(told.detail.commands, ['ls -la', 'make -n']);
    await appendLog(given().context, made.body, { attempt: 1, offset: 0 }, Buffer.from('total 0\n'));
    assert.equal((await use(grant, `builds/${made.body.id}/log`)).text, 'total 0\n');
    assert.equal((await owner.call('GET', `/v1/builds/${made.body.id}/log`)).text, 'total 0\n');
    await refusedAs('grant_scope', grant, `builds/${build.id}/log`);
    const listed = (await use(grant, 'builds')).body.items.map(({ id }: { id: string }) => id);
    assert.deepEqual(listed, [made.body.id], 'other builds are not what source opens');
  });

  test('with the scope environment a run sees the environment, and still no secret', async () => {
    await created(owner, '/v1/secrets', { project_id: project.id, name: 'TOKEN', value: 'hush' });
    const { id } = (await run(await give({ scope: ['source', 'environment'] }))).body;
    const { environment, secrets } = await claim(id);
    assert.deepEqual([environment, secrets], [{ SHOP: 'berlin' }, []]);
  });

  test('logs alone let nothing run', async () => {
    assert.equal((await run(await give())).body.code, 'grant_scope');
  });

  test('a run does not begin after its grant has ended, and one under way is cancelled', async () => {
    const grant = await give({ scope: ['source'], ends_at: endsAt(3_600_000) });
    const waiting = (await run(grant)).body.id;
    const late = (await run(grant)).body.id;
    const running = (await run(grant)).body.id;
    await claim(running);
    shiftMs = 3_600_001;
    await assert.rejects(claim(late), { code: 'grant_ended' });
    await endGrants(given().context, never);
    const state = async (id: string) => (await owner.call('GET', `/v1/builds/${id}`)).body;
    assert.equal((await state(late)).state, 'cancelled');
    assert.partialDeepStrictEqual(await state(waiting), {
      state: 'cancelled',
      reason: 'The access grant it ran under has ended.',
    });
    const { cancel_requested } = await given()
      .context.database.selectFrom('build')
      .select('cancel_requested')
      .where('id', '=', running)
      .executeTakeFirstOrThrow();
    assert.equal(cancel_requested, true);
  });
});
