import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import pino from 'pino';
import { describeApi } from '../../test/describe-api.ts';
import { textOfRows } from '../db/text-of-rows-for-tests.ts';
import { createLogMailer } from '../mail/log-mailer.ts';
import { forgetMails } from '../mail/send-mails.ts';
import { send } from '../test-client.ts';
import { mailSignInLinks } from './ask-to-sign-in.ts';
import { browserOf, mailedToken, openBrowser } from './browser-for-tests.ts';
import { forgetSessions } from './session-store.ts';

let count = 0;
const somebody = () => `person-${++count}@example.com`;

describeApi('signing in', (given) => {
  const signUp = (mode: 'open' | 'invited' | 'closed') => {
    given().context.signUp = mode;
  };
  const later = (seconds: number) => {
    given().context.now = () => new Date(Date.now() + seconds * 1000);
  };
  afterEach(() => {
    given().context.now = () => new Date();
    given().context.publicUrl = 'http://ebb.test';
    signUp('open');
  });

  test('a link that is mailed signs a person in, and the first time up', async () => {
    const browser = openBrowser(given());
    const asked = await browser.call('POST', '/v1/sign-in', { email: 'Ada@Example.com' });
    assert.equal(asked.status, 202);
    const token = await mailedToken(given(), 'ada@example.com');
    const signedIn = await browser.call('POST', '/v1/session', { token });
    assert.equal(signedIn.status, 201);
    assert.equal(signedIn.body.email, 'ada@example.com');
    const again = await (await browserOf(given(), 'ADA@example.COM')).call('GET', '/v1/person');
    assert.equal(again.body.id, signedIn.body.id, 'upper case is the same person');
  });

  test('a link is used once, for a quarter of an hour, in the browser that asked', async () => {
    const email = somebody();
    const browser = openBrowser(given());
    const ask = () => browser.call('POST', '/v1/sign-in', { email });
    await ask();
    const token = await mailedToken(given(), email);
    const elsewhere = openBrowser(given());
    await elsewhere.call('POST', '/v1/sign-in', { email: somebody() });
    for (const other of [elsewhere, openBrowser(given())]) {
      const refused = await other.call('POST', '/v1/session', { token });
      assert.deepEqual([refused.status, refused.body.code], [401, 'link_not_good']);
    }
    assert.equal((await browser.call('POST', '/v1/session', { token })).status, 201);
    assert.equal((await browser.call('POST', '/v1/session', { token })).status, 401, 'reused');
    await ask();
    const second = await mailedToken(given(), email);
    later(15 * 60 + 1);
    assert.equal((await browser.call('POST', '/v1/session', { token: second })).status, 401, 'expired');
  });

  test('the answer is the same for an address of nobody, to whom nothing is sent', async () => {
    const known = somebody();
    await browserOf(given(), known);
    signUp('closed');
    const unknown = somebody();
    const answers = [];
    for (const email of [known, unknown])
      answers.push(await openBrowser(given()).call('POST', '/v1/sign-in', { email }));
    const [first, second] = answers.map(({ status, text, headers }) => [
      status,
      text,
      String(headers['set-cookie']).replace(/=[A-Za-z0-9_-]{43}/, ''),
    ]);
    assert.deepEqual(first, second);
    const before = given().mails.length;
    assert.equal(await mailedToken(given(), unknown), undefined);
    const sent = given()
      .mails.slice(before)
      .map(({ to }) => to);
    assert.deepEqual(sent, [known]);
  });

  test('no database holds a token or a link in the clear, before it is sent and after, and no log does', async () => {
    const email = somebody();
    const browser = openBrowser(given());
    const { database } = given().context;
    const kept = async () => {
      const rows = [];
      for (const table of ['sign_in', 'session', 'mail', 'person'] as const)
        rows.push(...(await database.selectFrom(table).selectAll().execute()));
      return textOfRows(rows);
    };
    await browser.call('POST', '/v1/sign-in', { email });
    await mailSignInLinks(given().context);
    const waiting = await kept();
    const sealed = () =>
      database.selectFrom('mail').select('id').where('sealed_link', 'is not', null).execute();
    assert.equal((await sealed()).length, 1, 'the link waits to be sent');
    const asked = [...browser.cookies.values()];
    const token = (await mailedToken(given(), email)) ?? '';
    assert.match(token, /^[A-Za-z0-9_-]{43}$/);
    const sent = await kept();
    assert.deepEqual(await sealed(), [], 'what was sent is not kept, sealed neither');
    await browser.call('POST', '/v1/session', { token });
    const secrets = [token, ...asked, browser.cookies.get('ebb_session') ?? ''];
    assert.equal(secrets.length, 3);
    for (const secret of secrets) {
      for (const rows of [waiting, sent, await kept()]) assert.ok(!rows.includes(secret));
      assert.ok(!given().logged().includes(secret));
    }
  });

  test('a link that was not sent in time is not sent, nor kept', async () => {
    const email = somebody();
    await openBrowser(given()).call('POST', '/v1/sign-in', { email });
    const { context, mails } = given();
    const mailer = context.mailer;
    context.mailer = undefined;
    await mailedToken(given(), email);
    context.mailer = mailer;
    later(16 * 60);
    const before = mails.length;
    assert.equal(await mailedToken(given(), email), undefined);
    assert.equal(mails.length, before);
    await forgetMails(context);
    const rows = await context.database.selectFrom('mail').select('sealed_link').execute();
    assert.ok(rows.every(({ sealed_link }) => sealed_link === null));
  });

  test('on a developer’s machine the link is in the log, and whose it is is not', async () => {
    const lines: string[] = [];
    const log = pino({}, { write: (line: string) => void lines.push(line) });
    const { context } = given();
    const mailer = context.mailer;
    context.mailer = createLogMailer(log);
    const email = somebody();
    const browser = openBrowser(given());
    await browser.call('POST', '/v1/sign-in', { email });
    await mailedToken(given(), email);
    context.mailer = mailer;
    const token = /#token=([A-Za-z0-9_-]{43})"/.exec(lines.join(''))?.[1];
    assert.equal((await browser.call('POST', '/v1/session', { token })).status, 201);
    assert.ok(!lines.join('').includes(email));
  });

  test('an address is one in ASCII and in lower case; what looks like it, or holds more, is none', async () => {
    const bad = [
      'аda@example.com',
      'ada@exаmple.com',
      '\u212Aay@example.com',
      'ıda@example.com',
      '"ada"@example.com',
      '"ada\\"@evil.example"@example.com',
      'ada@example.com\r\nBcc: eve@example.com',
      'ada@example.com, eve@example.com',
      'Ada <ada@example.com>',
      ' ada@example.com',
      'ada@example.com ',
      'ada@localhost',
      'ada@[127.0.0.1]',
      'ada@example..com',
      'ada\u0000@example.com',
      `${'a'.repeat(65)}@example.com`,
    ];
    for (const email of bad) {
      const answer = await openBrowser(given()).call('POST', '/v1/sign-in', { email });
      assert.deepEqual([answer.status, answer.body.errors?.[0].pointer], [422, '#/email'], email);
    }
  });

  test('another site cannot make a browser ask: neither for a link nor with its session', async () => {
    const browser = await browserOf(given(), somebody());
    const foreign = [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: 'http://ebb.test.evil.example' },
      { origin: 'https://ebb.test' },
      { origin: undefined },
      { origin: undefined, 'sec-fetch-site': 'cross-site' },
      { origin: undefined, 'sec-fetch-site': 'same-site' },
      { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' },
    ];
    for (const headers of foreign) {
      const tries = [
        await browser.call('DELETE', '/v1/session', undefined, headers),
        await browser.call('POST', '/v1/sign-in', { email: somebody() }, headers),
        await browser.call('POST', '/v1/session', { token: 'a'.repeat(43) }, headers),
      ];
      for (const { status, body } of tries)
        assert.deepEqual([status, body.code], [403, 'wrong_origin'], JSON.stringify(headers));
    }
    assert.equal((await browser.call('GET', '/v1/person')).status, 200);
    const same = { origin: undefined, 'sec-fetch-site': 'same-origin' };
    assert.equal((await browser.call('DELETE', '/v1/session', undefined, same)).status, 204);
  });

  test('a form of another site has no content type that is taken', async () => {
    const browser = openBrowser(given());
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
    ]) {
      const headers = { origin: 'http://ebb.test', 'content-type': type };
      const answer = await send(given(), {
        ...{ method: 'POST', url: '/v1/sign-in', headers, payload: '{"email":"eve@example.com"}' },
      });
      assert.equal(answer.status, 415, type);
    }
    assert.equal(browser.cookies.size, 0);
  });

  test('the cookie is out of reach for scripts, other sites, other hosts and connections without TLS', async () => {
    given().context.publicUrl = 'https://ebb.test';
    const browser = await browserOf(given(), somebody());
    assert.deepEqual([...browser.cookies.keys()].sort(), ['__Host-ebb_known', '__Host-ebb_session']);
    const asked = await openBrowser(given()).call('POST', '/v1/sign-in', { email: somebody() });
    const attributes = String(asked.headers['set-cookie']).split('; ').slice(1).sort();
    assert.deepEqual(attributes, ['HttpOnly', 'Max-Age=900', 'Path=/', 'SameSite=Lax', 'Secure']);
    const planted = { cookie: `__Host-ebb_session=${'a'.repeat(43)}; ${cookieOf(browser)}` };
    assert.equal((await browser.call('GET', '/v1/person', undefined, planted)).status, 401);
  });

  test('a session ends after twelve hours without use, and after thirty days whatever happens', async () => {
    const idle = await browserOf(given(), somebody());
    later(12 * 3600 - 5);
    assert.equal((await idle.call('GET', '/v1/person')).status, 200);
    later(24 * 3600 - 10);
    assert.equal((await idle.call('GET', '/v1/person')).status, 200, 'use keeps it');
    later(36 * 3600);
    assert.equal((await idle.call('GET', '/v1/person')).status, 401);
    later(0);
    const busy = await browserOf(given(), somebody());
    for (let hours = 11; hours < 30 * 24; hours += 11) {
      later(hours * 3600);
      assert.equal((await busy.call('GET', '/v1/person')).status, 200);
    }
    later(30 * 24 * 3600 + 1);
    assert.equal((await busy.call('GET', '/v1/person')).status, 401);
  });

  test('of a session that has ended nothing is kept', async () => {
    const email = somebody();
    const browser = await browserOf(given(), email);
    const { id } = (await browser.call('GET', '/v1/person')).body;
    const { context } = given();
    const left = async () => {
      await forgetSessions(context);
      return await context.database.selectFrom('session').select('id').where('person_id', '=', id).execute();
    };
    assert.equal((await left()).length, 1);
    later(12 * 3600 + 1);
    assert.equal((await left()).length, 0);
  });

  test('sessions are listed, and ended from another browser; signing in ends the one before in the same browser', async () => {
    const email = somebody();
    const laptop = await browserOf(given(), email);
    const phone = await browserOf(given(), email);
    const { items } = (await laptop.call('GET', '/v1/sessions')).body;
    assert.deepEqual(
      items.map(({ is_current }: { is_current: boolean }) => is_current),
      [true, false],
    );
    const stranger = await browserOf(given(), somebody());
    assert.equal((await stranger.call('DELETE', `/v1/sessions/${items[1].id}`)).status, 404);
    assert.equal((await laptop.call('DELETE', `/v1/sessions/${items[1].id}`)).status, 204);
    assert.equal((await phone.call('GET', '/v1/person')).status, 401);
    const old = { cookie: cookieOf(laptop) };
    await laptop.call('POST', '/v1/sign-in', { email });
    await laptop.call('POST', '/v1/session', { token: await mailedToken(given(), email) });
    assert.notEqual(cookieOf(laptop), old.cookie);
    assert.equal((await laptop.call('GET', '/v1/person', undefined, old)).status, 401);
    const last = { cookie: cookieOf(laptop) };
    assert.equal((await laptop.call('DELETE', '/v1/session')).status, 204);
    assert.deepEqual([...laptop.cookies.keys()], ['ebb_known']);
    assert.equal((await laptop.call('GET', '/v1/person', undefined, last)).status, 401, 'after sign-out');
  });

  test('an address is changed when both addresses agree, and other sessions are over', async () => {
    const [old, wanted] = [somebody(), somebody()];
    const laptop = await browserOf(given(), old);
    const phone = await browserOf(given(), old);
    const { id } = (await laptop.call('GET', '/v1/person')).body;
    const asked = await laptop.call('POST', '/v1/person/email-change', { email: wanted.toUpperCase() });
    assert.equal(asked.status, 202, asked.text);
    const before = given().mails.length;
    await mailedToken(given(), old);
    const tokenOf = (email: string) =>
      given()
        .mails.slice(before)
        .find(({ to }) => to === email)
        ?.link?.split('#token=')[1];
    const confirm = (browser: typeof laptop, email: string) =>
      browser.call('POST', '/v1/person/email-confirmation', { token: tokenOf(email) });
    const stranger = await browserOf(given(), somebody());
    assert.equal((await confirm(stranger, wanted)).status, 404);
    for (const _again of [1, 2]) assert.equal((await confirm(laptop, wanted)).status, 200);
    assert.equal((await laptop.call('GET', '/v1/person')).body.email, old, 'one alone changes nothing');
    assert.equal((await confirm(laptop, old)).status, 200);
    const { body } = await laptop.call('GET', '/v1/person');
    assert.deepEqual([body.id, body.email], [id, wanted]);
    assert.equal((await phone.call('GET', '/v1/person')).status, 401);
    assert.equal((await confirm(laptop, old)).status, 404, 'reused');
    assert.notEqual((await (await browserOf(given(), old)).call('GET', '/v1/person')).body.id, id);
  });

  test('an address of somebody else is taken, which only who reads its mail is told', async () => {
    const [mine, theirs] = [somebody(), somebody()];
    await browserOf(given(), theirs);
    const browser = await browserOf(given(), mine);
    const asked = await browser.call('POST', '/v1/person/email-change', { email: theirs });
    assert.equal(asked.status, 202);
    const before = given().mails.length;
    await mailedToken(given(), mine);
    const answers = [];
    for (const { link } of given().mails.slice(before)) {
      const token = link?.split('#token=')[1];
      answers.push(await browser.call('POST', '/v1/person/email-confirmation', { token }));
    }
    assert.deepEqual(
      answers.map(({ status, body }) => [status, body.code]),
      [
        [200, undefined],
        [409, 'address_taken'],
      ],
    );
    assert.equal((await browser.call('GET', '/v1/person')).body.email, mine);
  });

  test('the pages that links lead to run their own script alone, and tell no token to anybody', async () => {
    for (const url of ['/sign-in', '/email-change', '/invitation']) {
      const { status, headers, text } = await send(given(), { method: 'GET', url });
      assert.equal(status, 200);
      assert.match(String(headers['content-security-policy']), /script-src 'sha256-[^ ]+';/);
      assert.equal(headers['referrer-policy'], 'no-referrer');
      assert.match(text, /history\.replaceState/);
    }
  });
});

function cookieOf({ cookies }: { cookies: Map<string, string> }): string {
  return [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
}
