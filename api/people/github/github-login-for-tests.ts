import { createHash, randomBytes } from 'node:crypto';
import formbody from '@fastify/formbody';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  basePath,
  description,
  example,
  fail,
  paramsOf,
} from '../../source-hosts/github/github-state-for-tests.ts';
import { createStandIn } from '../../source-hosts/rest/stand-in-for-tests.ts';

/** Somebody at GitHub, and the addresses there. */
export interface Octocat {
  id: number;
  login: string;
  emails: { email: string; primary: boolean; verified: boolean }[];
}

interface Code {
  user: Octocat;
  redirectUri: string;
  challenge: string;
  scope: string;
}

const errorPages = 'https://docs.github.com/apps/managing-oauth-apps';
const descriptions = {
  access_denied: 'The user has denied your application access.',
  application_suspended: 'Your application has been suspended. Contact support@github.com.',
  bad_verification_code: 'The code passed is incorrect or expired.',
  incorrect_client_credentials: 'The client_id and/or client_secret passed are incorrect.',
  redirect_uri_mismatch: 'The redirect_uri MUST match the registered callback URL for this application.',
  unverified_user_email: 'The user must have a verified primary email.',
};
type OAuthError = keyof typeof descriptions;

/**
 * A stand-in for GitHub Enterprise Server to sign in by: an OAuth app, and people who are asked whether they allow it. What is of
 * the REST API is held to GitHub's published OpenAPI; the two addresses of OAuth are not in it and are as the documentation
 * has them, with errors in status 200.
 *
 * @see https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
 * @see https://docs.github.com/en/apps/oauth-apps/maintaining-oauth-apps/troubleshooting-oauth-app-access-token-request-errors
 */
export async function startGithubLogin() {
  const stand = createStandIn(description, basePath);
  const { app } = stand;
  await app.register(formbody);
  const codes = new Map<string, Code>();
  const tokens = new Map<string, { user: Octocat; scope: string }>();
  const github = {
    ...stand,
    url: '',
    clientId: 'Iv1.8a61f9b3a7aba766',
    clientSecret: randomBytes(20).toString('hex'),
    /** As it is registered at the app. */
    callbackUrl: '',
    /** Who is signed in at GitHub in the browser that is led there, and allows the app what it asks for, unless told. */
    user: undefined as Octocat | undefined,
    /** What GitHub says in place of a code. */
    refusal: undefined as OAuthError | undefined,
    /** What GitHub says in place of a token. */
    exchangeRefusal: undefined as OAuthError | undefined,
    /** What the person allows; all of it unless told. */
    allowedScope: undefined as string | undefined,
    /** Whether GitHub names itself in its answers, as RFC 9207 has it. */
    issuer: undefined as string | undefined,
    /** Queries of browsers that were led to GitHub. */
    asked: [] as Record<string, string>[],
    /** Tokens that were given, and those of them that are still good. */
    given: [] as string[],
    good: () => [...tokens.keys()],
    async close() {
      await app.close();
    },
  };

  app.get('/login/oauth/authorize', (request, reply) => {
    const query = request.query as Record<string, string>;
    github.asked.push(query);
    if (query.code_challenge_method !== 'S256' || !/^[A-Za-z0-9_-]{43}$/.test(query.code_challenge ?? ''))
      stand.violations.push('the code is not asked for with PKCE, S256');
    if (query.scope !== 'user:email') stand.violations.push('more is asked for than who somebody is');
    if (query.client_id !== github.clientId) return reply.code(404).send('Not Found');
    const matches = query.redirect_uri === github.callbackUrl;
    const error = matches ? github.refusal : 'redirect_uri_mismatch';
    const to = new URL(github.callbackUrl);
    if (github.issuer) to.searchParams.set('iss', github.issuer);
    if (query.state) to.searchParams.set('state', query.state);
    if (error) {
      to.searchParams.set('error', error);
      to.searchParams.set('error_description', descriptions[error]);
      to.searchParams.set('error_uri', `${errorPages}/troubleshooting-authorization-request-errors/`);
      return reply.redirect(to.href, 302);
    }
    if (!github.user) return reply.code(200).type('text/html').send('Sign in to GitHub');
    const code = randomBytes(10).toString('hex');
    const { code_challenge: challenge = '', scope = '' } = query;
    codes.set(code, {
      ...{ user: github.user, redirectUri: query.redirect_uri ?? '', challenge },
      scope: github.allowedScope ?? scope,
    });
    to.searchParams.set('code', code);
    return reply.redirect(to.href, 302);
  });

  app.post('/login/oauth/access_token', (request, reply) => {
    const form = (request.body ?? {}) as Record<string, string>;
    const error = github.exchangeRefusal ?? judge(form);
    if (request.headers.accept !== 'application/json')
      stand.violations.push('the token is not asked for as JSON');
    if (error) {
      const error_uri = `${errorPages}/troubleshooting-oauth-app-access-token-request-errors/#${error.replaceAll('_', '-')}`;
      return reply.send({ error, error_description: descriptions[error], error_uri });
    }
    const code = codes.get(form.code ?? '') as Code;
    codes.delete(form.code ?? '');
    const access_token = `gho_${randomBytes(18).toString('hex')}`;
    tokens.set(access_token, code);
    github.given.push(access_token);
    return reply.send({ access_token, scope: code.scope, token_type: 'bearer' });
  });

  const judge = (form: Record<string, string>): OAuthError | undefined => {
    if (form.client_id !== github.clientId || form.client_secret !== github.clientSecret)
      return 'incorrect_client_credentials';
    const code = codes.get(form.code ?? '');
    if (!code) return 'bad_verification_code';
    if (form.redirect_uri !== code.redirectUri) return 'redirect_uri_mismatch';
    const challenge = createHash('sha256')
      .update(form.code_verifier ?? '')
      .digest('base64url');
    if (code.challenge === challenge) return undefined;
    codes.delete(form.code ?? '');
    return 'bad_verification_code';
  };

  const holder = (request: FastifyRequest) =>
    tokens.get(/^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '');
  const asHolder =
    (answer: (of: { user: Octocat; scope: string }, reply: FastifyReply) => unknown) =>
    async (request: FastifyRequest, reply: FastifyReply) => {
      const of = holder(request);
      return of ? answer(of, reply) : fail(reply, 401, 'Bad credentials');
    };
  app.get(
    `${basePath}/user`,
    asHolder(({ user: { id, login } }) => ({
      ...example('private-user-response-with-public-profile-information'),
      ...{ id, login, email: null },
    })),
  );
  app.get(
    `${basePath}/user/emails`,
    asHolder(({ user, scope }, reply) => {
      if (!/\buser(:email)?\b/.test(scope)) return fail(reply, 404, 'Not Found');
      return user.emails.map((address) => ({ ...address, visibility: address.primary ? 'private' : null }));
    }),
  );
  /** Whether the app itself asks; answers when it does not. */
  const isApp = async (request: FastifyRequest, reply: FastifyReply) => {
    const basic = Buffer.from(`${github.clientId}:${github.clientSecret}`).toString('base64');
    if (request.headers.authorization !== `Basic ${basic}`) await fail(reply, 401, 'Bad credentials');
    else if (paramsOf(request).client_id !== github.clientId) await fail(reply, 404, 'Not Found');
  };
  const ofApp = `${basePath}/applications/:client_id/token`;
  app.delete(ofApp, { preHandler: isApp }, (request, reply) => {
    const { access_token: token } = request.body as { access_token: string };
    return tokens.delete(token) ? reply.code(204).send() : fail(reply, 404, 'Not Found');
  });
  // Nothing here asks about a token that there is.
  app.post(ofApp, { preHandler: isApp }, (_request, reply) => fail(reply, 404, 'Not Found'));
  github.url = await stand.listen();
  return github;
}

export type GithubLoginStandIn = Awaited<ReturnType<typeof startGithubLogin>>;
