import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textOfRows } from '../../db/text-of-rows-for-tests.ts';
import { createGuardedFetch } from '../../source-hosts/rest/guarded-fetch.ts';
import { openBrowser } from '../browser-for-tests.ts';
import {
  allOf,
  atGithub,
  beginIn,
  configure,
  connectedBrowser,
  describeGithub,
  signInBy,
  somebodyAtGithub,
} from './describe-github-for-tests.ts';

describeGithub('when GitHub says no', (given, github) => {
  /** What is answered where GitHub leads back to; nothing but the attempt is changed. */
  const answerOf = async (prepare: () => void) => {
    const user = somebodyAtGithub();
    const browser = openBrowser(given());
    const before = await allOf(given());
    const begun = await browser.call('GET', '/v1/sign-in/github');
    prepare();
    const answer = await browser.call('GET', await atGithub(github(), begun.headers.location, user));
    assert.deepEqual(await allOf(given()), before);
    assert.ok(!browser.cookies.has('ebb_session'));
    return answer;
  };

  test('a person who does not allow it is told that nothing was changed', async () => {
    const answer = await answerOf(() => {
      github().refusal = 'access_denied';
    });
    assert.deepEqual([answer.status, answer.body.code], [403, 'github_denied']);
    assert.match(answer.body.detail, /Nothing was changed/);
  });

  test('a no counts for the browser that began alone', async () => {
    const browser = openBrowser(given());
    const back = await beginIn(browser, github(), somebodyAtGithub());
    const denied = await openBrowser(given()).call(
      'GET',
      `${back.split('?')[0]}?error=access_denied&state=a`,
    );
    assert.deepEqual([denied.status, denied.body.code], [401, 'github_sign_in_not_good']);
  });

  const told = [
    ['bad_verification_code', 401, 'github_sign_in_not_good', /begun in this browser/],
    ['incorrect_client_credentials', 502, 'github_misconfigured', /EBB_GITHUB_CLIENT_SECRET/],
    [
      'redirect_uri_mismatch',
      502,
      'github_misconfigured',
      /http:\/\/ebb\.test\/v1\/sign-in\/github\/callback/,
    ],
    ['unverified_user_email', 403, 'github_address_unverified', /not verified/],
  ] as const;
  for (const [error, status, code, detail] of told)
    test(`${error}, which comes with status 200, is told as what it is`, async () => {
      const answer = await answerOf(() => {
        github().exchangeRefusal = error;
      });
      assert.deepEqual([answer.status, answer.body.code], [status, code]);
      assert.match(answer.body.detail, detail);
    });

  test('a secret that is wrong, and a callback URL that is not registered, are found by GitHub', async () => {
    const secret = await answerOf(() => configure(given(), github(), { clientSecret: 'wrong' }));
    assert.deepEqual([secret.status, secret.body.code], [502, 'github_misconfigured']);
    const url = await answerOf(() => {
      github().callbackUrl = 'http://ebb.test/v1/sign-in/github/callback?old';
    });
    assert.deepEqual([url.status, url.body.code], [502, 'github_misconfigured']);
    assert.match(url.body.detail, /redirect_uri_mismatch/);
  });

  test('who does not let Ebb see the addresses is told to', async () => {
    const answer = await answerOf(() => {
      github().allowedScope = '';
    });
    assert.deepEqual([answer.status, answer.body.code], [403, 'github_denied']);
    assert.match(answer.body.detail, /user:email/);
  });

  test('a failure that passes is tried again, but never the exchange of a code', async () => {
    const user = somebodyAtGithub();
    github().fail({ path: /^\/user$/, status: 502 });
    github().fail({ path: /^\/user\/emails/, how: 'cut-off' });
    assert.match(await signInBy(openBrowser(given()), github(), user), /#said=mailed$/);
  });

  test('a GitHub that is away, limits, or answers something else is told with when to come back', async () => {
    const limited = await answerOf(() => {
      github().fail({
        path: /^\/user$/,
        status: 429,
        headers: { 'retry-after': '17' },
        body: { message: 'no' },
      });
    });
    assert.deepEqual([limited.status, limited.headers['retry-after']], [503, '17']);
    const odd = await answerOf(() => github().fail({ path: /^\/user$/, status: 200, body: [] }));
    assert.deepEqual([odd.status, odd.body.code], [503, 'github_unreachable']);
    github().violations.length = 0;
    const away = await answerOf(() => {
      const fetch = async () => await globalThis.fetch('http://127.0.0.1:1');
      configure(given(), github(), { fetch });
    });
    assert.deepEqual([away.status, away.body.code], [503, 'github_unreachable']);
  });

  test('an address inside the operator’s network is asked only when EBB_SOURCE_HOST_NETWORKS has it', async () => {
    const answer = await answerOf(() => configure(given(), github(), { fetch: createGuardedFetch([]) }));
    assert.equal(answer.status, 503);
    assert.match(answer.body.detail, /EBB_SOURCE_HOST_NETWORKS/);
  });

  test('the access token is ended at GitHub whatever came of it, and where that fails the log says so without it', async () => {
    await signInBy(openBrowser(given()), github(), somebodyAtGithub());
    await answerOf(() => github().fail({ path: /^\/user$/, status: 403, body: { message: 'no' } }));
    assert.ok(github().given.length > 1);
    assert.deepEqual(github().good(), []);
    github().fail({ method: 'DELETE', status: 401, body: { message: 'Bad credentials' } });
    assert.match(await signInBy(openBrowser(given()), github(), somebodyAtGithub()), /#said=mailed$/);
    assert.equal(github().good().length, 1);
    assert.match(given().logged(), /a token of GitHub could not be ended there/);
  });

  test('no database and no log has a token, a code, a state, a verifier or the client secret in it', async () => {
    const browser = openBrowser(given());
    const back = await beginIn(browser, github(), somebodyAtGithub());
    const secrets = [
      ...new URL(back, 'http://ebb.test').searchParams.values(),
      ...browser.cookies.values(),
      github().clientSecret,
    ];
    const during = await allOf(given());
    await browser.call('GET', back);
    await connectedBrowser(given(), github(), somebodyAtGithub());
    await answerOf(() => {
      github().exchangeRefusal = 'incorrect_client_credentials';
    });
    const kept = textOfRows([during, await allOf(given())]);
    assert.equal(secrets.length, 4);
    assert.match(given().logged(), /"url":"\/v1\/sign-in\/github"/);
    for (const secret of [...secrets, ...github().given]) {
      assert.ok(!kept.includes(secret));
      assert.ok(!given().logged().includes(secret));
    }
  });

  test('a browser shows a refusal as a page, in which nothing that GitHub says is markup', async () => {
    const browser = openBrowser(given());
    const begun = await browser.call('GET', '/v1/sign-in/github');
    const { state } = Object.fromEntries(new URL(String(begun.headers.location)).searchParams);
    const evil = encodeURIComponent('<script>alert(1)</script>');
    const path = `/v1/sign-in/github/callback?error=${evil}&error_description=${evil}&state=${state}`;
    const answer = await browser.call('GET', path, undefined, { accept: 'text/html,*/*;q=0.8' });
    assert.equal(answer.status, 502);
    assert.match(String(answer.headers['content-type']), /^text\/html/);
    assert.match(answer.text, /GitHub refuses this Ebb\. Whoever operates/);
    assert.doesNotMatch(answer.text, /<script|alert/);
    assert.match(String(answer.headers['content-security-policy']), /default-src 'none'/);
  });
});
