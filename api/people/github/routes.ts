import type { FastifyReply } from 'fastify';
import { Destination } from '../../../contract/person.ts';
import type { ApiContext } from '../../context.ts';
import type { Routes } from '../../http/app-type.ts';
import { redirection } from '../../http/other-media.ts';
import { conflict } from '../../http/problem-error.ts';
import { requireMailer } from '../../mail/require-mailer.ts';
import { askToSignIn, signInSeconds } from '../ask-to-sign-in.ts';
import { readCookie, setCookie } from '../cookies.ts';
import type { githubSaid } from '../link-page.ts';
import { findPerson } from '../require-person.ts';
import { refuseOtherSites } from '../require-same-origin.ts';
import { sessionCookieSeconds } from '../session-store.ts';
import { attemptSeconds, noteAttempt } from './attempt-store.ts';
import { comeBack, redirectUri } from './come-back.ts';
import { disconnectAccount } from './connect-account.ts';
import type { GithubLogin } from './github-login.ts';
import { noVerifiedAddress } from './login-problem.ts';
import { answerRefusal } from './refusal-page.ts';

const tags = ['people'];
const security = [{ session: [] }];
const open: { [name: string]: string[] }[] = [];
const led = { 303: redirection };

/** Signing in by GitHub, and which account there signs in as a person here. */
export const githubRoutes: Routes = async (app, { context }) => {
  app.get(
    '/v1/sign-in/github',
    {
      schema: { tags, security: open, response: led },
      errorHandler: answerRefusal,
    },
    async (request, reply) => {
      const github = requireGithub(context);
      refuseOtherSites(request, context.publicUrl);
      await app.limitSignIn(request);
      const { url, ...secrets } = await github.begin(redirectUri(context));
      await noteAttempt(context, github.site, secrets, null);
      keepVerifier(context, reply, secrets.verifier);
      return reply.redirect(url, 303);
    },
  );

  app.get(
    '/v1/sign-in/github/callback',
    {
      schema: { tags, security: open, response: led },
      errorHandler: answerRefusal,
      // The code and the state are in the URL, which lines of level info have.
      logLevel: 'warn',
    },
    async (request, reply) => {
      const github = requireGithub(context);
      const { cookie } = request.headers;
      const outcome = await comeBack(
        { ...context, github },
        {
          parameters: new URL(request.url, context.publicUrl).searchParams,
          verifier: readCookie(context, cookie, 'github'),
          who: await findPerson(context, request),
          earlier: readCookie(context, cookie, 'session'),
        },
      );
      setCookie(context, reply, 'github', { value: '', maxAgeSeconds: 0 });
      switch (outcome.said) {
        case 'connected':
          return toPage(context, reply, 'connected');
        case 'signed_in':
          setCookie(context, reply, 'session', {
            value: outcome.session,
            maxAgeSeconds: sessionCookieSeconds,
          });
          return toPage(context, reply, 'signed_in');
        case 'to_be_mailed': {
          const { email } = outcome.user;
          if (email === undefined) throw noVerifiedAddress();
          requireMailer(context, 'nobody signs in by it');
          await app.limitMail(request, email);
          const value = await askToSignIn(context, email, outcome.user);
          setCookie(context, reply, 'sign_in', { value, maxAgeSeconds: signInSeconds });
          return toPage(context, reply, 'mailed');
        }
      }
    },
  );

  app.post(
    '/v1/person/github',
    {
      schema: { tags, security, response: { 200: Destination } },
    },
    async (request, reply) => {
      const github = requireGithub(context);
      await app.limitSignIn(request);
      const { url, ...secrets } = await github.begin(redirectUri(context), { choose: true });
      await noteAttempt(context, github.site, secrets, request.person.sessionId);
      keepVerifier(context, reply, secrets.verifier);
      return { url };
    },
  );

  app.delete(
    '/v1/person/github',
    {
      schema: { tags, security },
    },
    async ({ person }, reply) => {
      await disconnectAccount(context, person);
      return reply.code(204).send();
    },
  );
};

function requireGithub({ github }: ApiContext): GithubLogin {
  if (github) return github;
  throw conflict(
    'github_not_configured',
    'Nobody signs in to this Ebb by GitHub. Whoever operates it can set EBB_GITHUB_CLIENT_ID and EBB_GITHUB_CLIENT_SECRET.',
  );
}

function keepVerifier(context: ApiContext, reply: FastifyReply, value: string): void {
  setCookie(context, reply, 'github', { value, maxAgeSeconds: attemptSeconds });
}

/** There the browser's address no longer has the code in it. */
function toPage({ publicUrl }: ApiContext, reply: FastifyReply, said: keyof typeof githubSaid) {
  return reply.redirect(`${publicUrl}/sign-in#said=${said}`, 303);
}
