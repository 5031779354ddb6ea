import assert from 'node:assert/strict';
import { test } from 'node:test';
import { send } from '../../test-client.ts';
import { browserOf, mailedToken, openBrowser } from '../browser-for-tests.ts';
import {
  allOf,
  beginIn,
  configure,
  connectedBrowser,
  describeGithub,
  personIn,
  primaryOf,
  signInBy,
  somebodyAtGithub,
} from './describe-github-for-tests.ts';

describeGithub('signing in by GitHub', (given, github) => {
  test('who comes the first time shows by a link that the address is his; from then on GitHub is enough', async () => {
    const ada = somebodyAtGithub('Ada@Example.com');
    const browser = openBrowser(given());
    assert.equal(await signInBy(browser, github(), ada), 'http://ebb.test/sign-in#said=mailed');
    assert.equal((await browser.call('GET', '/v1/person')).status, 401, 'GitHub’s word alone opens nothing');
    const token = await mailedToken(given(), 'ada@example.com');
    const signedIn = await browser.call('POST', '/v1/session', { token });
    assert.equal(signedIn.status, 201);
    assert.equal(signedIn.body.email, 'ada@example.com');
    assert.equal(signedIn.body.github.login, ada.login);
    const elsewhere = openBrowser(given());
    const before = given().mails.length;
    assert.equal(await signInBy(elsewhere, github(), ada), 'http://ebb.test/sign-in#said=signed_in');
    assert.deepEqual(await personIn(elsewhere), signedIn.body);
    assert.equal(await mailedToken(given(), 'ada@example.com'), undefined);
    assert.equal(given().mails.length, before);
  });

  test('the account of a mail link and of GitHub is one', async () => {
    const grace = somebodyAtGithub();
    const byMail = await browserOf(given(), primaryOf(grace));
    const byGithub = await connectedBrowser(given(), github(), grace);
    assert.equal((await personIn(byGithub)).id, (await personIn(byMail)).id);
    assert.equal((await personIn(byMail)).github.login, grace.login);
  });

  test('GitHub’s word that an address is verified takes over no account that has it', async () => {
    const owner = await browserOf(given(), 'owner@example.com');
    const other = openBrowser(given());
    await signInBy(other, github(), somebodyAtGithub('owner@example.com'));
    const token = await mailedToken(given(), 'owner@example.com');
    // The owner gets the link, and it opens nothing in another browser than the one that asked.
    assert.equal((await owner.call('POST', '/v1/session', { token })).status, 401);
    assert.equal((await other.call('GET', '/v1/person')).status, 401);
    assert.equal((await personIn(owner)).github, null);
  });

  test('an account at GitHub is known by its number: its name and addresses may change, and the name may be another’s', async () => {
    const user = somebodyAtGithub();
    const { id } = await personIn(await connectedBrowser(given(), github(), user));
    const renamed = { ...user, login: 'renamed', emails: [{ ...user.emails[0], email: 'new@example.com' }] };
    const browser = openBrowser(given());
    await signInBy(browser, github(), renamed as typeof user);
    const person = await personIn(browser);
    assert.deepEqual([person.id, person.email, person.github.login], [id, primaryOf(user), 'renamed']);
    const heir = { ...somebodyAtGithub(), login: user.login };
    assert.match(await signInBy(openBrowser(given()), github(), heir), /#said=mailed$/);
  });

  test('the same number at another site of GitHub is somebody else', async () => {
    const user = somebodyAtGithub();
    await connectedBrowser(given(), github(), user);
    const same = { ...user, emails: [{ email: 'other-site@example.com', primary: true, verified: true }] };
    configure(given(), github(), { site: github().url.replace('127.0.0.1', 'localhost') });
    const browser = openBrowser(given());
    assert.match(await signInBy(browser, github(), same), /#said=mailed$/);
    assert.equal((await browser.call('GET', '/v1/person')).status, 401);
  });

  test('of the addresses the primary one counts, and only when GitHub calls it verified', async () => {
    const verified = { verified: true };
    const refused = [
      [{ email: 'first@example.com', primary: true, verified: false }],
      [
        { email: 'first@example.com', primary: true, verified: false },
        { email: 'second@example.com', primary: false, ...verified },
      ],
      [{ email: `${'a'.repeat(65)}@example.com`, primary: true, ...verified }],
      [],
    ];
    for (const emails of refused) {
      const browser = openBrowser(given());
      const user = { ...somebodyAtGithub(), emails };
      const back = await browser.call('GET', await beginIn(browser, github(), user));
      assert.deepEqual([back.status, back.body.code], [403, 'github_address_unverified']);
      for (const { email } of emails) assert.equal(await mailedToken(given(), email), undefined);
    }
    const several = somebodyAtGithub();
    several.emails.unshift({ email: 'other@example.com', primary: false, ...verified });
    await signInBy(openBrowser(given()), github(), several);
    assert.ok(await mailedToken(given(), several.emails[1]?.email ?? ''));
    assert.equal(await mailedToken(given(), 'other@example.com'), undefined);
  });

  test('EBB_SIGN_UP says who may become a person this way, too, and the answer tells nobody', async () => {
    const known = somebodyAtGithub();
    await connectedBrowser(given(), github(), known);
    given().context.signUp = 'closed';
    const stranger = somebodyAtGithub();
    assert.match(await signInBy(openBrowser(given()), github(), stranger), /#said=mailed$/);
    assert.equal(await mailedToken(given(), primaryOf(stranger)), undefined);
    const browser = openBrowser(given());
    assert.match(await signInBy(browser, github(), known), /#said=signed_in$/);
    assert.equal((await personIn(browser)).email, primaryOf(known));
  });

  test('signing in ends the session that the browser had, of whoever it was', async () => {
    const user = somebodyAtGithub();
    await connectedBrowser(given(), github(), user);
    const browser = await browserOf(given(), 'somebody-else@example.com');
    const earlier = { cookie: [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ') };
    await signInBy(browser, github(), user);
    assert.equal((await personIn(browser)).email, primaryOf(user));
    assert.equal((await browser.call('GET', '/v1/person', undefined, earlier)).status, 401);
  });

  test('who deletes the account is forgotten with the account at GitHub, which is a stranger’s then', async () => {
    const user = somebodyAtGithub();
    const browser = await connectedBrowser(given(), github(), user);
    const { id } = await personIn(browser);
    await browser.call('POST', '/v1/person/github');
    const gone = await browser.call('DELETE', '/v1/person', { email: primaryOf(user) });
    assert.equal(gone.status, 204, gone.text);
    const { accounts, attempts } = await allOf(given());
    assert.ok(!accounts.some((account) => JSON.stringify(account).includes(String(user.id))));
    assert.ok(!attempts.some((attempt) => 'session_id' in attempt && attempt.session_id !== null));
    const again = await connectedBrowser(given(), github(), user);
    assert.notEqual((await personIn(again)).id, id);
  });

  test('where it is not configured each route says so, and the page does not offer it', async () => {
    const page = async () => (await send(given(), { method: 'GET', url: '/sign-in' })).text;
    assert.match(await page(), /href="\/v1\/sign-in\/github"/);
    const browser = await browserOf(given(), 'unconfigured@example.com');
    given().context.github = undefined;
    assert.doesNotMatch(await page(), /GitHub<\/a>/);
    const answers = [
      await browser.call('GET', '/v1/sign-in/github'),
      await browser.call('GET', '/v1/sign-in/github/callback?code=a&state=b'),
      await browser.call('POST', '/v1/person/github'),
    ];
    for (const { status, body } of answers)
      assert.deepEqual([status, body.code], [409, 'github_not_configured']);
  });
});
