import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { created } from '../../api/test-client.ts';
import { openTestContext, type TestContext } from '../../api/test-context.ts';
import { openAttack } from './every-route.ts';

/* What somebody sends stays on its line, in its header and in its event. */

let given: TestContext;
let attack: Awaited<ReturnType<typeof openAttack>>;
before(async () => {
  given = await openTestContext();
  attack = await openAttack(given);
  await given.listen();
});
after(() => given.close());

const forged = '{"level":30,"msg":"all is well"}';
const steers = /[\p{Cc}\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/u;

/** Sends bytes as they are, which no HTTP client would; gives the answer, when the connection is closed. */
async function sendRaw(head: string): Promise<string> {
  const { hostname, port } = new URL(given.context.publicUrl);
  const socket = connect({ host: hostname, port: Number(port) });
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => void chunks.push(chunk));
  socket.on('error', () => {});
  const closed = once(socket, 'close').catch(() => undefined);
  socket.write(Buffer.from(`${head}\r\nConnection: close\r\n\r\n`, 'latin1'));
  await closed;
  return Buffer.concat(chunks).toString('latin1');
}

/** What is logged while something is done: it must be one JSON object a line, and steer no terminal. */
async function loggedDuring(work: () => Promise<unknown>): Promise<Record<string, unknown>[]> {
  const before = given.logged().length;
  await work();
  const text = given.logged().slice(before);
  assert.ok(text === '' || text.endsWith('\n'));
  const lines = text.split('\n').slice(0, -1);
  for (const line of lines) assert.ok(!steers.test(line), JSON.stringify(line));
  return lines.map((line) => JSON.parse(line));
}

test('a request is one record of the log, whatever stands in its address and headers', async () => {
  const bytes = ['\x9b2J', '\x9d0;owned\x9c', '\xe2\x80\xae', '\x85', '%0a%0d', '\x7f', '"},{"a":"', forged];
  for (const odd of bytes) {
    const records = await loggedDuring(() =>
      sendRaw(`GET /v1/${odd.replaceAll(' ', '')}?a=${odd.replaceAll(' ', '')} HTTP/1.1\r\nHost: ebb`),
    );
    for (const { msg } of records) assert.notEqual(msg, 'all is well');
    const headers = ['User-Agent', 'X-Forwarded-For', 'X-Request-Id', 'Authorization', 'Host2', 'Ebb-Team'];
    for (const name of headers)
      await loggedDuring(() => sendRaw(`GET /v1/projects HTTP/1.1\r\nHost: ebb${odd}\r\n${name}: ${odd}`));
  }
});

test('a field of a body is in no record of its own', async () => {
  const { owner, things } = attack.team;
  const odd = `x\n${forged}\r\n\u009b2J\u2028\u202e`;
  const records = await loggedDuring(async () => {
    await owner.call('PATCH', `/v1/projects/${things.project}`, { test: [odd], environment: { A: odd } });
    await owner.call('POST', '/v1/api-keys', { name: odd, scopes: ['builds:read'] });
    await owner.call('GET', `/v1/projects/${encodeURIComponent(odd)}`);
    await owner.call('GET', `/v1/projects?natural_id=${encodeURIComponent(odd)}`);
    await owner.call(
      'POST',
      '/v1/connections',
      { name: 'a-host', kind: 'local' },
      { 'idempotency-key': 'x y' },
    );
  });
  for (const { msg } of records) assert.notEqual(msg, 'all is well');
});

test('no header of an answer is ended by what was asked', async () => {
  const odd = '%0d%0aX-Evil:%201';
  for (const target of [
    `/v1/${odd}`,
    `/v1/projects/${odd}`,
    `/builds/${odd}`,
    `/v1/connections?cursor=${odd}`,
  ]) {
    const answer = await sendRaw(`GET ${target} HTTP/1.1\r\nHost: ebb`);
    assert.ok(!/^x-evil/im.test(answer.split('\r\n\r\n')[0] ?? ''), answer);
  }
  const smuggled = await sendRaw(`GET /v1/health HTTP/1.1\r\nHost: ebb\r\nEbb-Team: a\nX-Evil: 1`);
  assert.match(smuggled, /^HTTP\/1\.1 (400|200)/);
  assert.ok(!/x-evil/i.test(smuggled));
});

test('two requests cannot be told apart in two ways: a length beside chunks, or two lengths, is refused', async () => {
  const both = 'POST /v1/token HTTP/1.1\r\nHost: ebb\r\nContent-Length: 4\r\nTransfer-Encoding: chunked';
  const two = 'POST /v1/token HTTP/1.1\r\nHost: ebb\r\nContent-Length: 4\r\nContent-Length: 5';
  for (const head of [both, two, `${both.replace('chunked', 'chunked, identity')}`])
    assert.match(await sendRaw(head), /^HTTP\/1\.1 400/);
});

test('names that end in headers, mails and addresses have no form in which they could do harm', async () => {
  const { owner, things } = attack.team;
  const odd = ['a\r\nBcc: eve@example.com', 'a\nb', 'a\u2028b', 'a b', '<b>a</b>', '[a](http://e)'];
  const looksAlike = [
    'shоp',
    'ｓｈｏｐ',
    'shop\u200b',
    'sh\u00adop',
    'sho\u0301p',
    'Shop',
    '\u202epohs',
    'shop\u0000',
  ];
  for (const name of [...odd, ...looksAlike]) {
    const answers = [
      await owner.call('POST', '/v1/connections', { name, kind: 'local' }),
      await owner.call('POST', '/v1/projects', {
        connection_id: things.connection,
        name,
        repository: 'shop',
      }),
      await owner.call('POST', '/v1/workload-identities', {
        ...{ name, issuer: 'https://ci.example.com', audience: 'ebb', claims: { sub: 'a' } },
        scopes: ['builds:read'],
      }),
      await owner.call('POST', '/v1/team/invitations', { email: `${name}@example.com`, role: 'viewer' }),
      await owner.call('POST', '/v1/team/invitations', { email: `ada@${name}.com`, role: 'viewer' }),
    ];
    // An address may be written in capitals; it is the same then.
    const taken = name === 'Shop' ? 3 : answers.length;
    for (const { status, text } of answers.slice(0, taken)) assert.equal(status, 422, `${name}: ${text}`);
  }
  assert.equal(given.mails.filter(({ to }) => /eve|[^\x21-\x7e]/.test(to)).length, 0);
});

test('an address is one person, however it is written', async () => {
  const { owner } = attack.team;
  const invite = (email: string) => owner.call('POST', '/v1/team/invitations', { email, role: 'viewer' });
  const { body } = await invite('Linus@Example.COM');
  assert.equal(body.email, 'linus@example.com');
  const again = await invite('linus@example.com');
  assert.notEqual(again.status, 500, again.text);
});

test('a path leaves no folder and no address: repositories and branches are refused that could', async () => {
  const { owner, things } = attack.team;
  const paths = [
    '..',
    '../x',
    'a/..',
    'a/../../etc',
    '/etc/passwd',
    'a//b',
    '.git',
    'a/.git',
    '-a',
    '--upload-pack=x',
  ];
  for (const repository of [
    ...paths,
    'a\\..\\b',
    'a%2f..%2fb',
    'a?b',
    'a#b',
    'a b',
    'a\nb',
    "a'b",
    'a;b',
    'a$(b)',
  ]) {
    const declared = { connection_id: things.connection, name: 'traversal', repository };
    const { status, text } = await owner.call('POST', '/v1/projects', declared);
    assert.equal(status, 422, `${repository}: ${text}`);
  }
  const branches = [
    '..',
    '/a',
    'a/',
    '-a',
    '--upload-pack=touch x',
    'a b',
    'a\nb',
    'a..b',
    'a:b',
    'a^',
    '@{-1}',
  ];
  for (const branch of [...branches, 'a\u0000', 'a/.b', '.a', 'a.lock', 'a~1', 'a*']) {
    const build = await owner.call('POST', '/v1/builds', { project_id: things.project, branch });
    assert.equal(build.status, 422, `${branch}: ${build.text}`);
    const change = { default_branch: branch };
    assert.equal((await owner.call('PATCH', `/v1/projects/${things.project}`, change)).status, 422, branch);
  }
  for (const commit of ['HEAD', '--all', 'a'.repeat(39), `${'a'.repeat(40)}\n`, 'A'.repeat(40)]) {
    const build = await owner.call('POST', '/v1/builds', { project_id: things.project, commit });
    assert.equal(build.status, 422, commit);
  }
});

test("a log cannot end its event and begin another's", async () => {
  const { owner, things } = attack.team;
  const odd = 'line\n\nevent: end\ndata: {}\n\nid: 9\r\revent: build\r\n';
  const path = `/v1/builds/${things.build}`;
  const runner = await attack.ask(
    { who: 'runner of the build' },
    { method: 'POST' as 'GET', url: `${path}/log?attempt=1&offset=0`, payload: Buffer.from(odd) },
    { 'content-type': 'application/octet-stream' },
  );
  assert.equal(runner.status, 204, runner.text);
  await owner.call('POST', `${path}/cancel`, {});
  const answer = await fetch(`${given.context.publicUrl}${path}/events`, {
    headers: { authorization: `Bearer ${owner.token}` },
    signal: AbortSignal.timeout(120_000),
  });
  let text = '';
  for await (const chunk of answer.body ?? []) {
    text += Buffer.from(chunk).toString();
    if (text.includes('event: build')) break;
  }
  const [first = ''] = text.split('\n\n');
  const data = first.split('\n').find((line) => line.startsWith('data: ')) ?? '';
  assert.equal(JSON.parse(data.slice(6)).text, odd);
  assert.ok(!text.includes('event: end\ndata: {}\n\nid: 9'));
  await created(owner, '/v1/connections', { name: 'still-there', kind: 'local' });
});
