import * as oauth from 'oauth4webapi';
import { ProblemError } from '../../http/problem-error.ts';
import { SourceHostError } from '../../source-hosts/errors.ts';
import { causeCode } from '../../source-hosts/rest/bounded-body.ts';
import { AddressNotAllowedError } from '../../source-hosts/rest/guarded-fetch.ts';

// No problem here has a cause: what the library throws holds the answer, in which a token may be.

/** For what does not fit an attempt of this browser, whatever it is: who tries is not told what was right. */
export function loginNotGood(): ProblemError {
  const detail =
    'This is not the end of a sign-in that was begun in this browser within ten minutes, or it was used. Begin again at /sign-in.';
  return new ProblemError(401, 'github_sign_in_not_good', detail);
}

/** What a callback means that is no code for this attempt. */
export function callbackProblem(error: unknown): ProblemError {
  if (!(error instanceof oauth.AuthorizationResponseError)) return loginNotGood();
  if (error.error !== 'access_denied') return misconfigured(error.error);
  const detail = 'GitHub was not allowed to tell who you are. Nothing was changed.';
  return new ProblemError(403, 'github_denied', detail);
}

/** What the failure of an exchange means. */
export function exchangeProblem(error: unknown, redirectUri: string): ProblemError {
  if (!(error instanceof oauth.ResponseBodyError)) return notReached(error);
  switch (error.error) {
    case 'bad_verification_code':
      return loginNotGood();
    case 'unverified_user_email':
      return noVerifiedAddress();
    case 'redirect_uri_mismatch':
      return misconfigured(error.error, `The app's callback URL there must be ${redirectUri}.`);
    case 'incorrect_client_credentials':
      return misconfigured(
        error.error,
        'EBB_GITHUB_CLIENT_ID and EBB_GITHUB_CLIENT_SECRET must be those of the app.',
      );
    default:
      return misconfigured(error.error);
  }
}

/** What the failure of a look at person and addresses means. */
export function apiProblem(error: unknown): ProblemError {
  if (!(error instanceof SourceHostError)) return notReached(error);
  if (error.code === 'rate_limited') return later(error.message, error.retryAfterSeconds ?? 60);
  if (error.code === 'unreachable' || error.code === 'timeout') return later(error.message, 30);
  const detail =
    'GitHub does not let Ebb see who you are and which addresses you have (user:email). Begin again, and allow it.';
  return new ProblemError(403, 'github_denied', detail);
}

/** Without it nobody can be asked whether the account here is to be his. */
export function noVerifiedAddress(): ProblemError {
  const detail =
    'Your primary address at GitHub is not verified there, or no mail can be sent to it. Verify it, or sign in by e-mail and connect GitHub then.';
  return new ProblemError(403, 'github_address_unverified', detail);
}

function misconfigured(error: string, fix = ''): ProblemError {
  // In the form of RFC 6749, section 5.2, or it is not shown.
  const named = /^[a-z_]{1,60}$/.test(error) ? ` (${error})` : '';
  const detail = `GitHub refuses this Ebb${named}. ${fix || 'Whoever operates it must look at its app there.'}`;
  return new ProblemError(502, 'github_misconfigured', detail);
}

function notReached(error: unknown): ProblemError {
  const cause = error instanceof Error ? error.cause : undefined;
  const reason = cause instanceof AddressNotAllowedError ? cause.message : causeCode(error);
  return later(`GitHub did not answer as it should${reason ? `: ${reason}` : ''}. Begin again.`, 30);
}

function later(detail: string, seconds: number): ProblemError {
  return new ProblemError(503, 'github_unreachable', detail, { headers: { 'retry-after': String(seconds) } });
}
