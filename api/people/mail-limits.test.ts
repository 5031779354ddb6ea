import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeApi } from '../../test/describe-api.ts';
import { buildApp } from '../app.ts';
import { addTeam, send, signIn } from '../test-client.ts';
import type { TestContext } from '../test-context.ts';
import { type Browser, browserOf, mailedToken, openBrowser } from './browser-for-tests.ts';

let count = 0;
const somebody = () => `limited-${++count}@example.com`;

/** Asks for a link from a place, in no browser that is known; gives the answer's status. */
async function askFrom(at: TestContext, remoteAddress: string, email: string): Promise<number> {
  const headers = { origin: 'http://ebb.test' };
  const { status } = await send(at, {
    ...{ method: 'POST', url: '/v1/sign-in', remoteAddress, headers, payload: { email } },
  });
  return status;
}

async function askFrequently(at: TestContext, places: number, each: number, email: string) {
  const statuses = [];
  for (let place = 1; place <= places; place += 1)
    for (let asked = 0; asked < each; asked += 1)
      statuses.push(await askFrom(at, `203.0.113.${place}`, email));
  return statuses;
}

describeApi('how often links may be asked for', (given) => {
  /** With counts of its own, since those of the other tests go on. */
  const fresh = async (): Promise<TestContext> => ({ ...given(), app: await buildApp(given().context) });
  const ask = (browser: Browser, email: string) => browser.call('POST', '/v1/sign-in', { email });

  test('five to an address from one place, whether it is anybody’s, written in any case', async () => {
    const at = await fresh();
    given().context.signUp = 'closed';
    const email = somebody();
    const statuses = [];
    for (let asked = 0; asked < 6; asked += 1)
      statuses.push(await askFrom(at, '203.0.113.1', asked % 2 ? email : email.toUpperCase()));
    given().context.signUp = 'open';
    assert.deepEqual(statuses, [202, 202, 202, 202, 202, 429]);
  });

  test('a stranger who uses up his own keeps nobody out, in a new browser neither', async () => {
    const at = await fresh();
    const email = somebody();
    assert.equal((await askFrequently(at, 1, 7, email)).at(-1), 429);
    const browser = openBrowser(at);
    assert.equal((await ask(browser, email)).status, 202);
    const answer = await browser.call('POST', '/v1/session', { token: await mailedToken(at, email) });
    assert.equal(answer.status, 201);
  });

  test('strangers at many places fill nobody’s mailbox, and do not keep out the browser that was signed in before', async () => {
    const at = await fresh();
    const email = somebody();
    const known = await browserOf(at, email);
    await known.call('DELETE', '/v1/session');
    const statuses = await askFrequently(at, 8, 5, email);
    // One was asked for by the owner, before the browser was known.
    assert.equal(statuses.filter((status) => status === 202).length, 19);
    const told = await ask(openBrowser(at), email);
    assert.deepEqual([told.status, told.body.code], [429, 'too_many_mails']);
    assert.match(told.body.detail, /signed in to this address before is not held up/);
    await mailedToken(at, email);
    assert.equal((await ask(known, email)).status, 202);
    const token = await mailedToken(at, email);
    assert.equal((await known.call('POST', '/v1/session', { token })).status, 201);
  });

  test('a browser is known to the address that was signed in to alone, and by a mark that nobody can make up', async () => {
    const at = await fresh();
    const [email, other] = [somebody(), somebody()];
    const known = await browserOf(at, other);
    await askFrequently(at, 8, 5, email);
    assert.equal((await ask(known, email)).status, 429);
    const marks = ['a'.repeat(43), 'a', Buffer.from(email).toString('base64url')];
    for (const mark of marks) {
      const cookie = `ebb_known=${mark}`;
      const answer = await openBrowser(at).call('POST', '/v1/sign-in', { email }, { cookie });
      assert.equal(answer.status, 429, mark);
    }
  });

  test('also a known browser asks for no more than five, and known ones together for ten', async () => {
    const at = await fresh();
    const email = somebody();
    const known = await browserOf(at, email);
    const mark = `ebb_known=${known.cookies.get('ebb_known')}`;
    const statuses = [];
    for (let place = 0; place < 3; place += 1) {
      const browser = openBrowser(at);
      for (let asked = 0; asked < 6; asked += 1)
        statuses.push((await browser.call('POST', '/v1/sign-in', { email }, { cookie: mark })).status);
    }
    const five = [202, 202, 202, 202, 202, 429];
    assert.deepEqual(statuses, [...five, ...five, ...Array(6).fill(429)]);
  });

  test('what strangers ask for keeps no team from inviting, which it does five times to an address', async () => {
    const at = await fresh();
    const email = somebody();
    await askFrequently(at, 8, 5, email);
    const invite = async (key: string, remoteAddress: string) => {
      const { call } = await signIn(at, key, {}, remoteAddress);
      return (await call('POST', '/v1/team/invitations', { email, role: 'viewer' })).status;
    };
    const statuses = [];
    for (let place = 1; place <= 6; place += 1)
      statuses.push(await invite(given().keys.admin, `198.18.0.${place}`));
    assert.deepEqual(statuses, [201, 201, 201, 201, 201, 429]);
    assert.equal(await invite(await addTeam(given(), `inviting-${++count}`), '198.18.0.7'), 201);
  });

  test('a place asks for twenty links, to whomever', async () => {
    const at = await fresh();
    const statuses = [];
    for (let asked = 0; asked < 21; asked += 1) statuses.push(await askFrom(at, '203.0.113.99', somebody()));
    assert.deepEqual(statuses, [...Array(20).fill(202), 429]);
  });
});
