import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openTestContext, type TestContext } from '../../test-context.ts';
import { mailedToken } from '../browser-for-tests.ts';
import { primaryOf, somebodyAtGithub } from './describe-github-for-tests.ts';
import { createGithubLogin } from './github-login.ts';
import { type GithubLoginStandIn, startGithubLogin } from './github-login-for-tests.ts';

let given: TestContext;
let github: GithubLoginStandIn;
before(async () => {
  [given, github] = await Promise.all([openTestContext(), startGithubLogin()]);
  await given.listen();
  const { publicUrl } = given.context;
  const { url: site, clientId, clientSecret } = github;
  given.context.github = createGithubLogin({ site, clientId, clientSecret, fetch: globalThis.fetch });
  github.callbackUrl = `${publicUrl}/v1/sign-in/github/callback`;
});
after(async () => {
  await given.close();
  await github.close();
});

/** A browser that follows redirects and sends cookies to the host that set them. */
function openRealBrowser() {
  const cookies = new Map<string, string>();
  const ask = async (url: URL, init: RequestInit = {}) => {
    const own = [...cookies].filter(([name]) => name.startsWith(`${url.host} `));
    const cookie = own.map(([name, value]) => `${name.split(' ')[1]}=${value}`).join('; ');
    const answer = await fetch(url, {
      ...{ ...init, redirect: 'manual' },
      headers: { accept: 'text/html', cookie, ...init.headers },
    });
    for (const line of answer.headers.getSetCookie()) {
      const [name = '', value = ''] = line.split(';')[0]?.split('=') ?? [];
      cookies.set(`${url.host} ${name}`, value);
    }
    return answer;
  };
  /** Where it ends. */
  const visit = async (address: string): Promise<string> => {
    let url = new URL(address);
    for (let hops = 0; hops < 5; hops += 1) {
      const answer = await ask(url);
      const location = answer.headers.get('location');
      if (location === null) return `${answer.status} ${url.href}`;
      url = new URL(location, url);
    }
    throw new Error('It is led in circles.');
  };
  return { ask, visit };
}

test('over HTTP a browser goes to GitHub and back, the first time by way of a mail, then without', async () => {
  const { publicUrl } = given.context;
  const user = somebodyAtGithub();
  github.user = user;
  const first = openRealBrowser();
  assert.equal(await first.visit(`${publicUrl}/v1/sign-in/github`), `200 ${publicUrl}/sign-in#said=mailed`);
  const token = await mailedToken(given, primaryOf(user));
  const signedIn = await first.ask(new URL(`${publicUrl}/v1/session`), {
    ...{ method: 'POST', body: JSON.stringify({ token }) },
    headers: { 'content-type': 'application/json', origin: publicUrl },
  });
  assert.equal(signedIn.status, 201);
  const second = openRealBrowser();
  const ended = await second.visit(`${publicUrl}/v1/sign-in/github`);
  assert.equal(ended, `200 ${publicUrl}/sign-in#said=signed_in`);
  const answer = await second.ask(new URL(`${publicUrl}/v1/person`));
  const person = (await answer.json()) as { email: string };
  assert.deepEqual(person, await signedIn.json());
  assert.equal(person.email, primaryOf(user));
  assert.deepEqual(github.violations, []);
  assert.deepEqual(github.good(), []);
});

test('who refuses at GitHub ends at a page that says so', async () => {
  github.refusal = 'access_denied';
  const browser = openRealBrowser();
  assert.match(
    await browser.visit(`${given.context.publicUrl}/v1/sign-in/github`),
    /^403 .*callback\?.*error=access_denied/,
  );
});
