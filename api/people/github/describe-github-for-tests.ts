import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { describeApi } from '../../../test/describe-api.ts';
import type { TestContext } from '../../test-context.ts';
import { type Browser, mailedToken, openBrowser } from '../browser-for-tests.ts';
import { createGithubLogin } from './github-login.ts';
import { type GithubLoginStandIn, type Octocat, startGithubLogin } from './github-login-for-tests.ts';

let count = 0;

/** Somebody new at GitHub, with one address that is verified there. */
export function somebodyAtGithub(email = `octocat-${count + 1}@example.com`): Octocat {
  count += 1;
  return {
    id: 10_000 + count,
    login: `octocat-${count}`,
    emails: [{ email, primary: true, verified: true }],
  };
}

export const primaryOf = ({ emails }: Octocat) => emails[0]?.email ?? '';

/** One specification on both databases, with GitHub beside the API. */
export function describeGithub(
  name: string,
  specify: (given: () => TestContext, github: () => GithubLoginStandIn) => void,
): void {
  describeApi(name, (given) => {
    let stand: GithubLoginStandIn | undefined;
    const github = () => {
      if (!stand) throw new Error('GitHub is there while tests run, not before.');
      return stand;
    };
    before(async () => {
      stand = await startGithubLogin();
    });
    before(() => configure(given(), github()));
    afterEach(() => {
      Object.assign(github(), { user: undefined, refusal: undefined, exchangeRefusal: undefined });
      Object.assign(github(), { allowedScope: undefined, issuer: undefined });
      given().context.now = () => new Date();
      given().context.signUp = 'open';
      configure(given(), github());
      assert.deepEqual(github().violations.splice(0), []);
    });
    after(() => stand?.close());
    specify(given, github);
  });
}

/** As the operator who registered the app at GitHub does. */
export function configure({ context }: TestContext, github: GithubLoginStandIn, changes: object = {}): void {
  context.publicUrl = 'http://ebb.test';
  github.callbackUrl = 'http://ebb.test/v1/sign-in/github/callback';
  const { url: site, clientId, clientSecret } = github;
  const options = { site, clientId, clientSecret, fetch: globalThis.fetch, ...changes };
  context.github = createGithubLogin(options);
}

/** Follows a browser to GitHub, where somebody says yes; gives the address that it is sent back to, as path and query. */
export async function atGithub(
  github: GithubLoginStandIn,
  location: unknown,
  user?: Octocat,
): Promise<string> {
  if (user) github.user = user;
  const answer = await fetch(String(location), { redirect: 'manual' });
  const back = new URL(answer.headers.get('location') ?? '');
  return `${back.pathname}${back.search}`;
}

/** Begins in a browser and has somebody say yes at GitHub; gives the path that leads back. */
export async function beginIn(browser: Browser, github: GithubLoginStandIn, user: Octocat): Promise<string> {
  const begun = await browser.call('GET', '/v1/sign-in/github');
  assert.equal(begun.status, 303, begun.text);
  return await atGithub(github, begun.headers.location, user);
}

/** The whole way once; gives where the browser ends. */
export async function signInBy(browser: Browser, github: GithubLoginStandIn, user: Octocat): Promise<string> {
  const back = await browser.call('GET', await beginIn(browser, github, user));
  assert.equal(back.status, 303, back.text);
  return String(back.headers.location);
}

/** A browser of somebody who came from GitHub before and opened the link that was mailed then. */
export async function connectedBrowser(
  test: TestContext,
  github: GithubLoginStandIn,
  user: Octocat,
): Promise<Browser> {
  const browser = openBrowser(test);
  await signInBy(browser, github, user);
  const token = await mailedToken(test, primaryOf(user).toLowerCase());
  const answer = await browser.call('POST', '/v1/session', { token });
  assert.equal(answer.status, 201, answer.text);
  return browser;
}

/** A browser of somebody who is signed in by mail, and connects an account; gives what GitHub's way back was answered by. */
export async function connectIn(browser: Browser, github: GithubLoginStandIn, user: Octocat) {
  const { status, body, text } = await browser.call('POST', '/v1/person/github');
  assert.equal(status, 200, text);
  return await browser.call('GET', await atGithub(github, body.url, user));
}

export async function personIn(browser: Browser) {
  return (await browser.call('GET', '/v1/person')).body;
}

/** All that signing in can change, to see that nothing was. */
export async function allOf({ context: { database } }: TestContext) {
  const rows = async (
    table: 'person' | 'github_account' | 'github_attempt' | 'sign_in' | 'mail' | 'audit_event',
  ) =>
    await database
      .selectFrom(table)
      .selectAll()
      .orderBy(table === 'github_account' ? 'github_id' : 'id')
      .execute();
  return {
    people: await rows('person'),
    accounts: await rows('github_account'),
    attempts: await rows('github_attempt'),
    links: await rows('sign_in'),
    mails: await rows('mail'),
    audit: await rows('audit_event'),
    // When one was seen last is written at reading, too.
    sessions: await database.selectFrom('session').select(['id', 'person_id']).orderBy('id').execute(),
  };
}
