import { createHash } from 'node:crypto';
import type { ApiContext } from '../context.ts';
import type { Routes } from '../http/app-type.ts';
import { textOf } from '../http/other-media.ts';

/** Where links in mails lead, and where what stands behind `#token=` is posted to when the person says so. */
const pages = [
  { path: '/sign-in', post: '/v1/session', title: 'Sign in to Ebb', action: 'Sign in' },
  {
    ...{ path: '/email-change', post: '/v1/person/email-confirmation' },
    ...{ title: 'Change the address that you sign in with', action: 'Confirm' },
  },
  {
    ...{ path: '/invitation', post: '/v1/invitations/accept' },
    ...{ title: 'Join a team', action: 'Accept the invitation' },
  },
] as const;

/** What the sign-in page says when GitHub's part is over; behind `#said=`. */
export const githubSaid = {
  signed_in: 'You are signed in.',
  connected: 'Your account at GitHub is connected.',
  mailed:
    'If your primary address at GitHub may sign in here, a link is on its way to it. Open it in this browser within a quarter of an hour; from then on GitHub is enough.',
} as const;

// The token is in the fragment, which no server, log or Referer sees; who merely fetches the link uses nothing up.
const script = `
const { post } = document.body.dataset;
const behind = new URLSearchParams(location.hash.slice(1));
const token = behind.get('token');
const says = document.querySelector('output');
const ask = document.querySelector('#ask');
const use = document.querySelector('#use');
const said = new Map(${JSON.stringify(Object.entries(githubSaid))}).get(behind.get('said'));
if (said) says.textContent = said;
if (token || said) history.replaceState(null, '', location.pathname);
ask.hidden = Boolean(token || said) || location.pathname !== '/sign-in';
use.hidden = !token;
async function send(path, body) {
  const answer = await fetch(path, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
  }).catch(() => undefined);
  const told = answer ? await answer.json() : { detail: 'Ebb does not answer. Try again.' };
  says.textContent = told.detail ?? 'Done.';
}
ask.addEventListener('submit', (event) => {
  event.preventDefault();
  send('/v1/sign-in', { email: new FormData(event.target).get('email') });
});
use.addEventListener('click', () => send(post, { token }));
`;
const policy = [
  "default-src 'none'",
  `script-src 'sha256-${createHash('sha256').update(script).digest('base64')}'`,
  "style-src 'unsafe-inline'",
  "connect-src 'self'",
  "frame-ancestors 'none'",
  "form-action 'none'",
  "base-uri 'none'",
].join('; ');

/** Pages that use a link of a mail. They read nothing and are the same for everybody. */
export const linkPageRoutes: Routes = async (app, { context }) => {
  for (const page of pages)
    app.get(
      page.path,
      {
        schema: {
          ...{ tags: ['people'], security: [] },
          response: textOf('text/html'),
        },
      },
      async (_request, reply) =>
        reply
          .type('text/html; charset=utf-8')
          .header('content-security-policy', policy)
          .send(html(page, context.github)),
    );
};

function html({ post, title, action }: (typeof pages)[number], github: ApiContext['github']): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>body { font: 1rem/1.5 system-ui; max-width: 30rem; margin: 4rem auto; padding: 0 1rem } [hidden] { display: none }</style>
<body data-post="${post}">
<h1>${title}</h1>
<div id="ask" hidden>
<form><label>E-mail <input name="email" type="email" autocomplete="email" required></label> <button>Send me a link</button></form>
${github ? '<p><a href="/v1/sign-in/github">Sign in with GitHub</a></p>' : ''}
</div>
<button id="use" hidden>${action}</button>
<p><output></output></p>
<script>${script}</script>
</html>
`;
}
