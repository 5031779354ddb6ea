import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { describeApi } from '../../test/describe-api.ts';
import { createApiKey, findApiKey, revokeApiKey } from '../auth/api-key.ts';
import { appendLog } from '../logs/append-log.ts';
import { type Server, startServer } from '../server.ts';
import { addTeam, type Client, created, declareBuildableProject, send, signIn } from '../test-client.ts';
import { transition } from './state-machine.ts';

describeApi('the event stream of a build', (given) => {
  let server: Server;
  let admin: Client;
  let project: { id: string };
  let id: string;

  before(async () => {
    server = await startServer({ context: given().context, listen: { host: '127.0.0.1', port: 0 } });
    admin = await signIn(given(), given().keys.admin);
    project = await declareBuildableProject(given(), admin);
  });
  after(() => server?.close());
  beforeEach(async () => {
    id = (await created(admin, '/v1/builds', { project_id: project.id })).id;
    await transition(given().context.database, id, 'claim', 'starting');
  });

  async function watch(headers: Record<string, string> = {}, url = server.url, build = id) {
    const stop = new AbortController();
    const answer = await fetch(`${url}/v1/builds/${build}/events`, {
      headers: { authorization: `Bearer ${admin.token}`, ...headers },
      signal: stop.signal,
    });
    const events: EventSourceMessage[] = [];
    const waiting = new Set<() => void>();
    const parser = createParser({
      onEvent: (event) => {
        events.push(event);
        for (const check of waiting) check();
      },
    });
    const over = (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of answer.body ?? []) parser.feed(decoder.decode(chunk, { stream: true }));
    })().catch(() => undefined);
    const texts = () => events.filter(({ event }) => event === 'log').map(({ data }) => JSON.parse(data));
    return {
      answer,
      events,
      over,
      texts,
      text: () =>
        texts()
          .map((part) => part.text)
          .join(''),
      stop: () => stop.abort(),
      until: (holds: () => boolean) =>
        new Promise<void>((resolve) => {
          const check = () => {
            if (!holds()) return;
            waiting.delete(check);
            resolve();
          };
          waiting.add(check);
          check();
        }),
    };
  }
  const append = (offset: number, data: Buffer | string) =>
    appendLog(given().context, { id, project_id: project.id }, { attempt: 0, offset }, Buffer.from(data));
  const finish = () =>
    transition(given().context.database, id, 'end', 'errored', { finished_at: new Date() });

  test('tells what a build waits for each time that changes: its turn, a pause, a cloud without capacity', async () => {
    id = (await created(admin, '/v1/builds', { project_id: project.id })).id;
    const stream = await watch();
    const heard = (reason: RegExp) =>
      stream.until(() =>
        stream.events.some(({ event, data }) => event === 'build' && reason.test(JSON.parse(data).reason)),
      );
    await heard(/^Waiting for a runner: .* in line\.$/);
    await admin.call('PUT', '/v1/team/pause', { reason: 'The registry moves.' });
    await heard(/ in line; paused by the team: The registry moves\.$/);
    await admin.call('DELETE', '/v1/team/pause');
    const runner = await signIn(given(), given().keys.runner);
    const claimed = await runner.call('POST', `/v1/builds/${id}/claim`, { lease_holder: `r/${id}` });
    const { token, attempt } = claimed.body;
    await send(given(), {
      ...{ method: 'POST', url: `/v1/builds/${id}/waiting`, headers: { authorization: `Bearer ${token}` } },
      payload: { attempt, reason: 'No capacity in 3 zones; next try in 20 s.' },
    });
    await heard(/^No capacity in 3 zones; next try in 20 s\.$/);
    stream.stop();
  });

  test('shows the state, the log as it comes and the end', async () => {
    const stream = await watch();
    assert.match(String(stream.answer.headers.get('content-type')), /^text\/event-stream/);
    await stream.until(() => stream.events.some(({ event }) => event === 'build'));
    await append(0, 'first\n');
    await stream.until(() => stream.text() === 'first\n');
    await append(6, 'second\n');
    await finish();
    await stream.over;
    assert.equal(stream.text(), 'first\nsecond\n');
    const states = stream.events
      .filter(({ event }) => event === 'build')
      .map(({ data }) => JSON.parse(data).state);
    assert.deepEqual([states[0], states.at(-1)], ['starting', 'errored']);
    assert.equal(stream.events.at(-1)?.event, 'end');
  });

  test('goes on where a watcher was cut off', async () => {
    await append(0, 'one two three');
    const first = await watch();
    await first.until(() => first.text() === 'one two three');
    first.stop();
    await first.over;
    const last = first.events.findLast(({ id: eventId }) => eventId !== undefined)?.id ?? '';
    assert.equal(last, '13');
    await append(13, ' four');
    await finish();
    const second = await watch({ 'last-event-id': last });
    await second.over;
    assert.deepEqual(second.texts(), [{ offset: 13, text: ' four' }]);
    const middle = await watch({ 'last-event-id': '4' });
    await middle.over;
    assert.equal(middle.text(), 'two three four');
  });

  test('an id that is no offset starts from the beginning', async () => {
    await append(0, 'all');
    await finish();
    for (const value of ['nonsense', '-1', '1.5', '2147483648', '1e21']) {
      const stream = await watch({ 'last-event-id': value });
      await stream.over;
      assert.equal(stream.text(), 'all', value);
    }
  });

  test('a character that comes in two parts is sent whole', async () => {
    const bytes = Buffer.from('a€b');
    const stream = await watch();
    await append(0, bytes.subarray(0, 2));
    await stream.until(() => stream.text() === 'a');
    await append(2, bytes.subarray(2));
    await finish();
    await stream.over;
    assert.equal(stream.text(), 'a€b');
    const whole = await watch();
    await whole.over;
    assert.equal(whole.text(), 'a€b');
  });

  test('half a character at the very end is shown as such and nothing is lost', async () => {
    await append(0, Buffer.concat([Buffer.from('a'), Buffer.from('€').subarray(0, 2)]));
    await finish();
    const stream = await watch();
    await stream.over;
    assert.equal(stream.text(), 'a\ufffd');
  });

  test('ends when the server stops', async () => {
    const own = await startServer({
      context: given().context,
      listen: { host: '127.0.0.1', port: 0 },
      graceMs: 60_000,
    });
    const stream = await watch({}, own.url);
    await stream.until(() => stream.events.length > 0);
    await own.close();
    await stream.over;
    assert.ok(stream.events.every(({ event }) => event !== 'end'));
  });

  test('ends when the API key that opened it is revoked, before anything more is shown', async () => {
    const { context } = given();
    const { team_id: teamId } = await context.database
      .selectFrom('project')
      .select('team_id')
      .where('id', '=', project.id)
      .executeTakeFirstOrThrow();
    const key = { teamId, name: 'watcher', scopes: ['logs:read' as const], now: context.now() };
    const secret = await createApiKey(context.database, key);
    const { token } = await signIn(given(), secret);
    const stream = await watch({ authorization: `Bearer ${token}` });
    await stream.until(() => stream.events.length > 0);
    const found = await findApiKey(context.database, secret);
    await revokeApiKey(context, found?.id ?? '', 'the test');
    await append(0, 'printed after that');
    await stream.over;
    assert.equal(stream.text(), '');
  });

  test('of one team stays whole while many watch a log of another team that is damaged', async () => {
    const { context } = given();
    const stranger = await signIn(given(), await addTeam(given(), 'strangers'));
    const theirs = await declareBuildableProject(given(), stranger);
    const damaged = (await created(stranger, '/v1/builds', { project_id: theirs.id })).id;
    await transition(context.database, damaged, 'claim', 'starting');
    const write = { attempt: 0, offset: 0 };
    await appendLog(context, { id: damaged, project_id: theirs.id }, write, Buffer.from('theirs'));
    await context.database
      .updateTable('build_log')
      .set({ data: Buffer.alloc(40) })
      .where('build_id', '=', damaged)
      .execute();
    await append(0, 'ours');
    await finish();
    const theirHeaders = { authorization: `Bearer ${stranger.token}` };
    const open = Array.from({ length: 20 }, () => [watch(theirHeaders, server.url, damaged), watch()]).flat();
    const streams = await Promise.all(open);
    await Promise.all(streams.map(({ over }) => over));
    for (const [place, stream] of streams.entries()) {
      if (place % 2 === 0) assert.deepEqual(stream.texts(), []);
      else assert.deepEqual([stream.text(), stream.events.at(-1)?.event], ['ours', 'end']);
    }
  });

  test('is not for those who may not read logs', async () => {
    const blind = await signIn(given(), given().keys.admin, { scope: 'builds:read' });
    const answer = await blind.call('GET', `/v1/builds/${id}/events`);
    assert.deepEqual([answer.status, answer.body.code], [403, 'insufficient_scope']);
  });
});
