import * as oauth from 'oauth4webapi';
import { isLoopback } from '../../../contract/transport-security.ts';
import { boundedFetch } from '../../workload-identities/bounded-fetch.ts';
import { conformingFetch } from './conforming-fetch.ts';
import { endToken } from './end-token.ts';
import type { GithubUser } from './github-account.ts';
import { openGithub } from './github-at.ts';
import { callbackProblem, exchangeProblem, loginNotGood } from './login-problem.ts';
import { readUser } from './read-user.ts';

/** Reads who somebody is, and the addresses; changes nothing. */
const scope = 'user:email';
const exchangeMs = 10_000;
const readMs = 20_000;
const endMs = 10_000;

export interface GithubLoginOptions {
  /** GitHub's address, such as `https://github.com`, without a slash at the end. */
  site: string;
  clientId: string;
  clientSecret: string;
  fetch: typeof globalThis.fetch;
}

/** The two secrets of one attempt to sign in. */
export interface AttemptSecrets {
  /** Goes through GitHub and comes back with the browser (RFC 6749, section 10.12). */
  state: string;
  /** Stays in the browser's cookie, and goes to GitHub with the code (RFC 7636). */
  verifier: string;
}

interface Callback extends AttemptSecrets {
  /** What GitHub sent the browser back with. */
  parameters: URLSearchParams;
  redirectUri: string;
  /** Aborts when the process stops. */
  stopping: AbortSignal;
  /** Told when the token could not be ended at GitHub, by a sentence without it. */
  onTokenLeft(problem: string): void;
}

/** Signing in by GitHub, by an OAuth app of whoever operates this Ebb. */
export interface GithubLogin {
  readonly site: string;
  /**
   * Secrets of a new attempt and where the browser goes with it. With `choose` GitHub asks which account is meant, even when
   * one is signed in there.
   */
  begin(redirectUri: string, options?: { choose?: boolean }): Promise<AttemptSecrets & { url: string }>;
  /**
   * Who came back from GitHub. The code is exchanged once, and the token ended at GitHub when that is read. Throws
   * ProblemError: for what is not the answer to this attempt, for a no of the person, for GitHub's failures.
   */
  identify(callback: Callback): Promise<GithubUser>;
}

/**
 * Authorization code with PKCE, S256.
 *
 * @see https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
 * @see https://www.rfc-editor.org/rfc/rfc9700
 */
export function createGithubLogin(options: GithubLoginOptions): GithubLogin {
  const { site, clientId } = options;
  const server: oauth.AuthorizationServer = {
    // As GitHub names itself in `iss` (RFC 9207), where it does.
    issuer: `${site}/login/oauth`,
    authorization_endpoint: `${site}/login/oauth/authorize`,
    token_endpoint: `${site}/login/oauth/access_token`,
  };
  const client: oauth.Client = { client_id: clientId };
  return {
    site,
    async begin(redirectUri, { choose = false } = {}) {
      const secrets = { state: oauth.generateRandomState(), verifier: oauth.generateRandomCodeVerifier() };
      const url = new URL(server.authorization_endpoint ?? '');
      url.search = new URLSearchParams({
        ...{ client_id: clientId, redirect_uri: redirectUri, scope, state: secrets.state },
        response_type: 'code',
        code_challenge: await oauth.calculatePKCECodeChallenge(secrets.verifier),
        code_challenge_method: 'S256',
        ...(choose && { prompt: 'select_account' }),
      }).toString();
      return { ...secrets, url: url.href };
    },
    async identify(callback) {
      const token = await exchange(options, { server, client }, callback);
      try {
        return await readUser(openGithub(options, callback.stopping, readMs), token);
      } finally {
        // By itself: that the person was asked for in vain, or too slowly, must not leave the token.
        await endToken(openGithub(options, callback.stopping, endMs), token).catch((error: Error) =>
          callback.onTokenLeft(error.message),
        );
      }
    },
  };
}

/** The access token for the code that the browser brought. */
async function exchange(
  { site, clientSecret, fetch }: GithubLoginOptions,
  { server, client }: { server: oauth.AuthorizationServer; client: oauth.Client },
  { parameters, state, verifier, redirectUri, stopping }: Callback,
): Promise<string> {
  let proven: URLSearchParams;
  try {
    proven = oauth.validateAuthResponse(server, client, parameters, state);
  } catch (error) {
    throw callbackProblem(error);
  }
  if (proven.getAll('code').length !== 1) throw loginNotGood();
  try {
    const answer = await oauth.authorizationCodeGrantRequest(
      ...([server, client, oauth.ClientSecretPost(clientSecret), proven, redirectUri, verifier] as const),
      {
        [oauth.customFetch]: conformingFetch(boundedFetch(fetch, exchangeMs)),
        [oauth.allowInsecureRequests]: isLoopback(new URL(site).hostname),
        signal: stopping,
      },
    );
    return (await oauth.processAuthorizationCodeResponse(server, client, answer)).access_token;
  } catch (error) {
    throw exchangeProblem(error, redirectUri);
  }
}
