import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sendMails } from '../../mail/send-mails.ts';
import { browserOf, mailedToken, openBrowser } from '../browser-for-tests.ts';
import {
  allOf,
  connectedBrowser,
  connectIn,
  describeGithub,
  personIn,
  primaryOf,
  signInBy,
  somebodyAtGithub,
} from './describe-github-for-tests.ts';

describeGithub('connecting GitHub', (given, github) => {
  test('who is signed in connects an account of any address, is told by mail, and signs in by it', async () => {
    const browser = await browserOf(given(), 'grace@example.com');
    const user = somebodyAtGithub('elsewhere@example.org');
    user.emails = [];
    const back = await connectIn(browser, github(), user);
    assert.equal(back.headers.location, 'http://ebb.test/sign-in#said=connected', back.text);
    assert.equal(github().asked.at(-1)?.prompt, 'select_account', 'GitHub asks which account is meant');
    const before = given().mails.length;
    while ((await sendMails(given().context, new AbortController().signal)) > 0);
    const told = given()
      .mails.slice(before)
      .filter(({ to }) => to === 'grace@example.com');
    assert.equal(told.length, 1);
    assert.match(told[0]?.text ?? '', new RegExp(`as ${user.login} signs in`));
    const elsewhere = openBrowser(given());
    assert.match(await signInBy(elsewhere, github(), user), /#said=signed_in$/);
    assert.equal((await personIn(elsewhere)).email, 'grace@example.com');
  });

  test('connecting it again changes nothing', async () => {
    const user = somebodyAtGithub();
    const browser = await connectedBrowser(given(), github(), user);
    const before = await allOf(given());
    assert.equal((await connectIn(browser, github(), user)).status, 303);
    assert.deepEqual(await allOf(given()), before);
  });

  test('an account at GitHub opens one account here, and an account here has one at GitHub', async () => {
    const [first, second] = [somebodyAtGithub(), somebodyAtGithub()];
    const browser = await connectedBrowser(given(), github(), first);
    const other = await connectedBrowser(given(), github(), second);
    const before = await allOf(given());
    const taken = await connectIn(other, github(), first);
    assert.deepEqual([taken.status, taken.body.code], [409, 'github_already_connected']);
    const more = await connectIn(browser, github(), somebodyAtGithub());
    assert.deepEqual([more.status, more.body.code], [409, 'github_already_connected']);
    const third = await browserOf(given(), 'third@example.com');
    const stolen = await connectIn(third, github(), first);
    assert.deepEqual([stolen.status, stolen.body.code], [409, 'github_account_taken']);
    const after = await allOf(given());
    assert.deepEqual(after.accounts, before.accounts);
  });

  test('a link of a mail connects no second account either, and can be asked for by mail alone', async () => {
    const email = 'twice@example.com';
    await connectedBrowser(given(), github(), somebodyAtGithub(email));
    const browser = openBrowser(given());
    assert.match(await signInBy(browser, github(), somebodyAtGithub(email)), /#said=mailed$/);
    const token = await mailedToken(given(), email);
    const before = await allOf(given());
    const answer = await browser.call('POST', '/v1/session', { token });
    assert.deepEqual([answer.status, answer.body.code], [409, 'github_already_connected']);
    assert.deepEqual(await allOf(given()), before);
    assert.equal((await personIn(await browserOf(given(), email))).email, email);
  });

  test('who disconnects ends all other sessions, and GitHub opens nothing any more', async () => {
    const user = somebodyAtGithub();
    const browser = await connectedBrowser(given(), github(), user);
    const other = openBrowser(given());
    await signInBy(other, github(), user);
    assert.equal((await browser.call('DELETE', '/v1/person/github')).status, 204);
    assert.equal((await personIn(browser)).github, null);
    assert.equal((await other.call('GET', '/v1/person')).status, 401);
    const elsewhere = openBrowser(given());
    assert.match(await signInBy(elsewhere, github(), user), /#said=mailed$/);
    assert.equal((await elsewhere.call('GET', '/v1/person')).status, 401);
    const again = await browser.call('DELETE', '/v1/person/github');
    assert.deepEqual([again.status, again.body.code], [404, 'not_found']);
  });

  test('where no mail can be sent GitHub is the last way in, which stays', async () => {
    const user = somebodyAtGithub();
    const browser = await connectedBrowser(given(), github(), user);
    const { context } = given();
    const { mailer } = context;
    context.mailer = undefined;
    const refused = await browser.call('DELETE', '/v1/person/github');
    assert.deepEqual([refused.status, refused.body.code], [409, 'last_way_in']);
    assert.match(await signInBy(openBrowser(given()), github(), user), /#said=signed_in$/);
    const back = openBrowser(given());
    await assert.rejects(signInBy(back, github(), somebodyAtGithub()), /mail_not_configured/);
    context.mailer = mailer;
    assert.equal((await personIn(browser)).github.login, user.login);
  });

  test('each team of a person finds in its trail that GitHub opens the account, and that it does no more', async () => {
    const user = somebodyAtGithub();
    const email = primaryOf(user);
    const browser = await browserOf(given(), email);
    for (const name of ['one', 'two']) {
      const made = await browser.call('POST', '/v1/teams', { name: `${user.login}-${name}` });
      assert.equal(made.status, 201, made.text);
    }
    await connectIn(browser, github(), user);
    await browser.call('DELETE', '/v1/person/github');
    await connectedBrowser(given(), github(), user);
    const entries = (await allOf(given())).audit.flatMap((row) =>
      'action' in row && row.action.startsWith('team_member.github') ? [row] : [],
    );
    const ours = entries.filter(({ detail }) => detail.email === email);
    assert.deepEqual(
      ours.map(({ action, actor, subject, detail }) => [action, actor === subject, detail.github]).sort(),
      [
        ...Array(4).fill(['team_member.github_connected', true, user.login]),
        ...Array(2).fill(['team_member.github_disconnected', true, user.login]),
      ],
    );
  });
});
