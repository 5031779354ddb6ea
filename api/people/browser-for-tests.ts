import { sendMails } from '../mail/send-mails.ts';
import { send } from '../test-client.ts';
import type { TestContext } from '../test-context.ts';
import { mailSignInLinks } from './ask-to-sign-in.ts';

let opened = 0;

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'PUT';

/** A browser that keeps its cookies, as a page of Ebb makes it ask. */
export function openBrowser(test: TestContext) {
  // Each at a place of its own: what one place may ask is limited.
  const remoteAddress = `198.51.100.${++opened % 250}`;
  const cookies = new Map<string, string>();
  const call = async (
    method: Method,
    url: string,
    payload?: object,
    headers: Record<string, string | undefined> = {},
  ) => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const sent = { origin: test.context.publicUrl, ...(cookie && { cookie }), ...headers };
    const given = Object.entries(sent).filter(([, value]) => value !== undefined);
    const answer = await send(test, {
      ...{ method, url, remoteAddress, headers: Object.fromEntries(given) },
      ...(payload && { payload }),
    });
    for (const line of [answer.headers['set-cookie'] ?? []].flat()) keep(cookies, line);
    return answer;
  };
  return { call, cookies };
}

export type Browser = ReturnType<typeof openBrowser>;

function keep(cookies: Map<string, string>, line: string): void {
  const [pair = '', ...attributes] = line.split('; ');
  const [name = '', value = ''] = pair.split('=');
  if (attributes.includes('Max-Age=0')) cookies.delete(name);
  else cookies.set(name, value);
}

/** Sends what is to be mailed; gives the token of the last link to an address, undefined when none went there. */
export async function mailedToken(test: TestContext, email: string): Promise<string | undefined> {
  const before = test.mails.length;
  await mailSignInLinks(test.context);
  while ((await sendMails(test.context, new AbortController().signal)) > 0);
  const mail = test.mails.slice(before).findLast(({ to, link }) => to === email && link);
  return mail?.link?.split('#token=')[1];
}

/** A browser in which a person of this address is signed in. */
export async function browserOf(test: TestContext, email: string): Promise<Browser> {
  const browser = openBrowser(test);
  await browser.call('POST', '/v1/sign-in', { email });
  const answer = await browser.call('POST', '/v1/session', {
    token: await mailedToken(test, email.toLowerCase()),
  });
  if (answer.status !== 201) throw new Error(`${email} is not signed in: ${answer.text}`);
  return browser;
}
