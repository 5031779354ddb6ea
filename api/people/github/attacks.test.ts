import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { type Browser, browserOf, mailedToken, openBrowser } from '../browser-for-tests.ts';
import {
  allOf,
  atGithub,
  beginIn,
  connectedBrowser,
  describeGithub,
  personIn,
  signInBy,
  somebodyAtGithub,
} from './describe-github-for-tests.ts';
import type { Octocat } from './github-login-for-tests.ts';

/*
 * Eve is signed in at GitHub as herself and wants into Ada's account, or Ada to act in hers. Each try is refused and leaves
 * everything as it was.
 */
describeGithub('attacks on signing in by GitHub', (given, github) => {
  let ada: Octocat;
  let eve: Octocat;
  beforeEach(async () => {
    [ada, eve] = [somebodyAtGithub(), somebodyAtGithub()];
    await connectedBrowser(given(), github(), ada);
    await connectedBrowser(given(), github(), eve);
  });

  const refused = async (browser: Browser, path: string, { besides = [] as string[] } = {}) => {
    const before = await allOf(given());
    const cookies = new Map(browser.cookies);
    const answer = await browser.call('GET', path);
    assert.deepEqual([answer.status, answer.body.code], [401, 'github_sign_in_not_good'], answer.text);
    const after = await allOf(given());
    for (const [what, rows] of Object.entries(after))
      if (!besides.includes(what)) assert.deepEqual(rows, before[what as keyof typeof before], what);
    assert.deepEqual(browser.cookies, cookies);
  };
  /** An attempt is used up by the browser that began it, whatever comes of it. */
  const usingUp = { besides: ['attempts'] };
  const tokensGiven = () => github().given.length;

  test('login CSRF: a way back that Eve began does nothing in Ada’s browser', async () => {
    const eves = openBrowser(given());
    const back = await beginIn(eves, github(), eve);
    const given_ = tokensGiven();
    await refused(openBrowser(given()), back);
    await refused(await browserOf(given(), 'bystander@example.com'), back);
    const adas = openBrowser(given());
    await beginIn(adas, github(), ada);
    await refused(adas, back);
    assert.equal(tokensGiven(), given_, 'and the code is shown to nobody');
    assert.equal((await eves.call('GET', back)).status, 303, 'Eve herself could use it still');
  });

  test('code injection: Ada’s code in Eve’s attempt is refused by GitHub for want of Ada’s verifier', async () => {
    const adas = openBrowser(given());
    const stolen = new URL(await beginIn(adas, github(), ada), 'http://ebb.test').searchParams.get('code');
    const eves = openBrowser(given());
    const hers = new URL(await beginIn(eves, github(), eve), 'http://ebb.test');
    hers.searchParams.set('code', stolen ?? '');
    const given_ = tokensGiven();
    await refused(eves, `${hers.pathname}${hers.search}`, usingUp);
    assert.equal(tokensGiven(), given_);
    assert.equal((await eves.call('GET', '/v1/person')).status, 401);
  });

  test('a state that is missing, another’s, doubled or made up is refused', async () => {
    const browser = openBrowser(given());
    const back = new URL(await beginIn(browser, github(), ada), 'http://ebb.test');
    const other = new URL(await beginIn(openBrowser(given()), github(), eve), 'http://ebb.test');
    const code = back.searchParams.get('code') ?? '';
    const states = ['', `&state=${other.searchParams.get('state')}`, `&state=${'a'.repeat(43)}`, '&state='];
    for (const state of states) await refused(browser, `${back.pathname}?code=${code}${state}`);
    const { state } = Object.fromEntries(back.searchParams);
    await refused(browser, `${back.pathname}?code=${code}&state=${state}&state=b`, usingUp);
  });

  test('state fixation: an attempt opens nothing without the cookie of its browser, nor with another’s or with two', async () => {
    const browser = openBrowser(given());
    const back = await beginIn(browser, github(), ada);
    const [name = '', value = ''] = [...browser.cookies][0] ?? [];
    const other = openBrowser(given());
    await beginIn(other, github(), eve);
    const planted = [
      undefined,
      `${name}=${'a'.repeat(43)}`,
      `${name}=${other.cookies.get(name)}`,
      `${name}=${value}; ${name}=${other.cookies.get(name)}`,
      `${name}=${value}x`,
    ];
    for (const cookie of planted) {
      const answer = await browser.call('GET', back, undefined, { cookie });
      assert.deepEqual([answer.status, answer.body.code], [401, 'github_sign_in_not_good'], cookie);
    }
    assert.equal((await browser.call('GET', back)).status, 303);
  });

  test('mix-up: an answer in another server’s name is refused, one in GitHub’s is not', async () => {
    const browser = openBrowser(given());
    const back = await beginIn(browser, github(), ada);
    const given_ = tokensGiven();
    await refused(browser, `${back}&iss=${encodeURIComponent('https://evil.example')}`, usingUp);
    assert.equal(tokensGiven(), given_);
    github().issuer = `${github().url}/login/oauth`;
    assert.match(await signInBy(openBrowser(given()), github(), ada), /#said=signed_in$/);
  });

  test('replay: a way back is good once, and one that failed is not tried again', async () => {
    const browser = openBrowser(given());
    const back = await beginIn(browser, github(), ada);
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    assert.equal((await browser.call('GET', back)).status, 303);
    await refused(openBrowser(given()), back);
    const again = await openBrowser(given()).call('GET', back, undefined, { cookie });
    assert.equal(again.status, 401);
    const failing = openBrowser(given());
    const failed = await beginIn(failing, github(), ada);
    github().exchangeRefusal = 'bad_verification_code';
    await refused(failing, failed, usingUp);
    github().exchangeRefusal = undefined;
    await refused(failing, failed);
  });

  test('of two who use the same way back at once one is signed in', async () => {
    const browser = openBrowser(given());
    const back = await beginIn(browser, github(), ada);
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answers = await Promise.all(
      [1, 2, 3].map(() => openBrowser(given()).call('GET', back, undefined, { cookie })),
    );
    assert.deepEqual(answers.map(({ status }) => status).sort(), [303, 401, 401]);
  });

  test('an attempt ends after ten minutes', async () => {
    const browser = openBrowser(given());
    const back = await beginIn(browser, github(), ada);
    given().context.now = () => new Date(Date.now() + 601_000);
    await refused(browser, back);
  });

  test('open redirect: no parameter says where the browser ends, on either way', async () => {
    const browser = openBrowser(given());
    const wishes = 'return_to=https://evil.example&redirect_uri=https://evil.example&next=//evil.example';
    const begun = await browser.call('GET', `/v1/sign-in/github?${wishes}`);
    const to = new URL(String(begun.headers.location));
    assert.equal(to.origin, github().url);
    assert.equal(to.searchParams.get('redirect_uri'), 'http://ebb.test/v1/sign-in/github/callback');
    assert.ok(!to.href.includes('evil'));
    const back = await atGithub(github(), to.href, ada);
    const ended = await browser.call('GET', `${back}&${wishes}`);
    assert.equal(ended.headers.location, 'http://ebb.test/sign-in#said=signed_in');
  });

  test('another site cannot begin: neither to sign in nor, with the session, to connect', async () => {
    const browser = await browserOf(given(), 'visitor@example.com');
    const before = await allOf(given());
    for (const site of ['cross-site', 'same-site']) {
      const answer = await browser.call('GET', '/v1/sign-in/github', undefined, { 'sec-fetch-site': site });
      assert.deepEqual([answer.status, answer.body.code], [403, 'wrong_origin']);
    }
    for (const headers of [{ origin: 'https://evil.example' }, { origin: undefined }]) {
      const answer = await browser.call('POST', '/v1/person/github', undefined, headers);
      assert.deepEqual([answer.status, answer.body.code], [403, 'wrong_origin']);
      const gone = await browser.call('DELETE', '/v1/person/github', undefined, headers);
      assert.deepEqual([gone.status, gone.body.code], [403, 'wrong_origin']);
    }
    assert.deepEqual(await allOf(given()), before);
    for (const site of ['same-origin', 'none']) {
      const answer = await browser.call('GET', '/v1/sign-in/github', undefined, { 'sec-fetch-site': site });
      assert.equal(answer.status, 303);
    }
  });

  test('what was begun to connect is of that session: it connects nothing in another, and none when that ended', async () => {
    const victim = await browserOf(given(), 'victim@example.com');
    const begin = async (browser: Browser) => {
      const { body } = await browser.call('POST', '/v1/person/github');
      return await atGithub(github(), body.url, somebodyAtGithub());
    };
    const other = await browserOf(given(), 'other-session@example.com');
    const hers = await begin(other);
    const cookies = new Map([
      ...victim.cookies,
      ...[...other.cookies].filter(([name]) => /github/.test(name)),
    ]);
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await victim.call('GET', hers, undefined, { cookie });
    assert.deepEqual([answer.status, answer.body.code], [401, 'github_sign_in_not_good']);
    const second = await begin(victim);
    await victim.call('DELETE', '/v1/session');
    await refused(victim, second);
    for (const email of ['victim@example.com', 'other-session@example.com'])
      assert.equal((await personIn(await browserOf(given(), email))).github, null);
  });

  test('who asks again and again is told when to go on, and at most five mails go to an address', async () => {
    const browser = openBrowser(given());
    const statuses = [];
    for (let asked = 0; asked < 21; asked += 1)
      statuses.push((await browser.call('GET', '/v1/sign-in/github')).status);
    assert.deepEqual(statuses, [...Array(20).fill(303), 429]);
    const stranger = somebodyAtGithub();
    const answers = [];
    const patient = openBrowser(given());
    for (let asked = 0; asked < 6; asked += 1)
      answers.push((await patient.call('GET', await beginIn(patient, github(), stranger))).status);
    assert.deepEqual(answers, [303, 303, 303, 303, 303, 429]);
    assert.ok(await mailedToken(given(), stranger.emails[0]?.email ?? ''));
  });

  test('the cookie is out of reach for scripts, other hosts and connections without TLS', async () => {
    given().context.publicUrl = 'https://ebb.test';
    const begun = await openBrowser(given()).call('GET', '/v1/sign-in/github');
    const [pair, ...attributes] = String(begun.headers['set-cookie']).split('; ');
    assert.match(pair ?? '', /^__Host-ebb_github=[A-Za-z0-9_-]{43}$/);
    assert.deepEqual(attributes.sort(), ['HttpOnly', 'Max-Age=600', 'Path=/', 'SameSite=Lax', 'Secure']);
  });
});
