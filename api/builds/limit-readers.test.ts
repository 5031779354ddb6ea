import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { type ClientRequest, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { buildApp } from '../app.ts';
import type { App } from '../http/app-type.ts';
import { addOperator, type Client, created, declareBuildableProject, signIn } from '../test-client.ts';
import { openTestContext, type TestContext } from '../test-context.ts';
import { limitReaders } from './limit-readers.ts';
import { transition } from './state-machine.ts';

let given: TestContext;
let app: App;
let owner: Client;
let crew: Client;
let paths: Record<string, string>;
/** Streams that have not ended. */
let watching = 0;
const leaving = new Map<unknown, ClientRequest>();

before(async () => {
  given = await openTestContext();
  owner = await signIn(given, given.keys.admin);
  crew = await signIn(given, await addOperator(given, ['core_crew']));
  const { id: project_id } = await declareBuildableProject(given, owner);
  const { id: build } = await created(owner, '/v1/builds', { project_id });
  await transition(given.context.database, build, 'claim', 'starting');
  const { id: grant } = await created(owner, '/v1/access-grants', {
    ...{ project_id, reason: 'A look', scope: ['logs'], notify: ['ada@example.com'] },
    ends_at: `${new Date(Date.now() + 3_600_000).toISOString().slice(0, 19)}Z`,
  });
  paths = {
    'a log': `/v1/builds/${build}/log`,
    events: `/v1/builds/${build}/events`,
    'a log under a grant': `/v1/access-grants/${grant}/builds/${build}/log`,
    'events under a grant': `/v1/access-grants/${grant}/builds/${build}/events`,
  };
  const { queue } = given.context;
  const watch: typeof queue.watch = async (id, onChange, signal) => {
    watching += 1;
    signal.addEventListener('abort', () => (watching -= 1), { once: true });
    await queue.watch(id, onChange, signal);
  };
  app = await buildApp(
    { ...given.context, queue: { ...queue, watch } },
    {
      // The client goes when it is known who asks, and before that is answered.
      watch: (watched) =>
        watched.addHook('preHandler', async ({ headers, raw }) => {
          const client = leaving.get(headers['x-mark']);
          if (!client) return;
          const gone = once(raw.socket, 'close');
          client.destroy();
          await gone;
        }),
    },
  );
  await app.listen({ host: '127.0.0.1', port: 0 });
});
after(async () => {
  await app?.close();
  await given.close();
});

function ask(path: string, { token }: Client, mark = ''): ClientRequest {
  const { port } = app.server.address() as AddressInfo;
  const headers = { authorization: `Bearer ${token}`, 'x-mark': mark };
  return request({ host: '127.0.0.1', port, path, headers, agent: false }).end();
}

async function askAndLeave(path: string, who: Client): Promise<void> {
  const mark = crypto.randomUUID();
  const asked = ask(path, who, mark);
  leaving.set(mark, asked);
  await new Promise((resolve) => asked.on('error', () => {}).on('close', resolve));
}

for (const what of ['a log', 'events', 'a log under a grant', 'events under a grant'])
  test(`who asks for ${what} a hundred times and goes before the answer counts no more, and nothing goes on for it`, async () => {
    const path = paths[what] ?? '';
    const who = what.includes('grant') ? crew : owner;
    for (let time = 0; time < 100; time += 1) await askAndLeave(path, who);
    const asked = ask(path, who);
    const [answer] = await once(asked, 'response');
    assert.equal(answer.statusCode, 200);
    answer.on('error', () => {});
    const closed = once(answer, 'close');
    answer.destroy();
    await closed;
    // The one that was answered ends when the server sees that its reader has gone.
    while (watching > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  });

test('a team reads 1,000 at once, by however many keys, and another team goes on', () => {
  const count = limitReaders();
  const answers: EventEmitter[] = [];
  const read = (keyId: string, teamId = 'team_1') => {
    const raw = new EventEmitter();
    count({ principal: { keyId, teamId } } as FastifyRequest, { raw } as unknown as FastifyReply);
    answers.push(raw);
  };
  for (let time = 0; time < 1000; time += 1) read(`key_${time % 11}`);
  assert.throws(() => read('key_11'), { code: 'too_many_readers', message: /1000 .* in this team/ });
  read('key_7', 'team_2');
  answers[0]?.emit('finish');
  read('key_11');
  assert.throws(() => read('key_11'), { code: 'too_many_readers' });
});
