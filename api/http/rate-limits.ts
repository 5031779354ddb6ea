import { createHash } from 'node:crypto';
import rateLimit, { normalizeIP } from '@fastify/rate-limit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { normalAddress } from '../../contract/mail-address.ts';
import type { RedisClient } from '../../queue/redis-connection.ts';
import type { Principal } from '../auth/principal.ts';
import type { App } from './app-type.ts';
import { ProblemError } from './problem-error.ts';

export interface RateLimits {
  /** Requests a minute that an API key's tokens may make in sum. */
  perKey: number;
  /** Answers 401 a minute that an address may collect. */
  refusalsPerAddress: number;
  /** Counts for all API processes; without it each counts for itself. */
  redis?: RedisClient | undefined;
}

/** What a limit must know of who asks. */
interface Recognition {
  /** Whether a token is one of Ebb's own. */
  isSigned(token: string): Promise<boolean>;
  /** Whether the browser that asks has a session that is good. */
  isSignedIn(request: FastifyRequest): Promise<boolean>;
  /** Whether somebody signed in to the address in the browser that asks. */
  isKnownBrowser(request: FastifyRequest, email: string): boolean;
}

interface BlockingOptions
  extends Pick<RateLimits, 'refusalsPerAddress'>,
    Pick<Recognition, 'isSigned' | 'isSignedIn'> {}

declare module 'fastify' {
  interface FastifyRequest {
    /** The API key that asks for a token, once it is known to be its holder's. */
    countedKey: string;
    /** The address that a link is asked for. */
    mailTo: string;
  }
  interface FastifyInstance {
    /** Counts an authenticated request. Throws 429 when its API key made too many. */
    limitKey(request: FastifyRequest, reply: FastifyReply): Promise<void>;
    /** Counts an attempt to sign in elsewhere. Throws 429 when there were too many from where it comes. */
    limitSignIn(request: FastifyRequest): Promise<void>;
    /** Counts a request for a token, of the API key that gives it. Throws 429 as `limitKey` does. */
    limitToken(request: FastifyRequest, reply: FastifyReply, keyId: string): Promise<void>;
    /** Counts a request for a mail. Throws 429 when there were too many for its address, or from where it comes. */
    limitMail(request: FastifyRequest, email: string): Promise<void>;
    /** Counts an invitation to the team of who asks. Throws 429 as `limitMail` does. */
    limitInvitation(request: FastifyRequest, email: string): Promise<void>;
  }
}

const timeWindow = 60_000;
const maxBlocked = 10_000;

/**
 * Limits what an API key asks, and how often an address fails to say who it is. Where Redis is away nothing is limited:
 * a limit must not be what stops the API.
 *
 * @see https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
 */
export async function limitRates(
  app: App,
  { perKey, refusalsPerAddress, redis }: RateLimits,
  { isKnownBrowser, ...recognition }: Recognition,
): Promise<void> {
  await app.register(rateLimit, {
    ...{ global: false, timeWindow, skipOnError: true, nameSpace: 'ebb-limit:', cache: maxBlocked },
    ...(redis && { redis }),
  });
  limitKeys(app, perKey);
  limitSignIns(app);
  limitMails(app, isKnownBrowser);
  blockAddresses(app, { refusalsPerAddress, ...recognition });
}

function limitKeys(app: App, max: number): void {
  const count = app.createRateLimit({ max, keyGenerator: whoAsks });
  const limit = async (request: FastifyRequest, reply: FastifyReply, who: string) => {
    const counted = await count(request);
    if (counted.isAllowed) return;
    reply.header('ratelimit-limit', counted.max);
    reply.header('ratelimit-remaining', counted.remaining);
    reply.header('ratelimit-reset', counted.ttlInSeconds);
    if (!counted.isExceeded) return;
    const detail = `This ${who} made more than ${max} requests within a minute. Go on in ${counted.ttlInSeconds} s.`;
    throw tooMany('rate_limited', detail, counted.ttlInSeconds);
  };
  app.decorateRequest('countedKey', '');
  app.decorate('limitKey', async (request, reply) => {
    const principal: Principal | undefined = request.principal;
    // One key serves all runners, and a build reports as often as its log grows.
    if (principal?.buildId !== undefined || principal?.scopes.includes('runner')) return;
    await limit(request, reply, principal ? 'API key' : 'person');
  });
  app.decorate('limitToken', async (request, reply, keyId) => {
    request.countedKey = keyId;
    await limit(request, reply, 'API key');
  });
}

/** A person who asks for no team is counted by itself. */
function whoAsks({ countedKey, principal, person }: FastifyRequest): string {
  return `key:${countedKey || ((principal as Principal | undefined)?.keyId ?? person.personId)}`;
}

const mailWindow = 15 * 60_000;
const attemptsPerOrigin = 20;
const mailsPerOrigin = 20;
/** To one address, from one place. */
const mailsFromOne = 5;
/** To one address, as invitations to one team. */
const mailsOfTeam = 5;
/** To one address, in sum: asked for in browsers that were signed in to it before, and in all others. */
const mailsForKnown = 10;
const mailsForOthers = 20;

type Count = ReturnType<App['createRateLimit']>;

/** Counts requests of a quarter of an hour by what `keyGenerator` says of each. */
function quarterHourly(app: App, max: number, keyGenerator: (request: FastifyRequest) => string): Count {
  return app.createRateLimit({ timeWindow: mailWindow, skipOnError: true, max, keyGenerator });
}

/** Counts a request; gives the limit when it is one too many. */
async function exceeded(count: Count, request: FastifyRequest) {
  const limit = await count(request);
  return limit.isAllowed || !limit.isExceeded ? undefined : limit;
}

function limitSignIns(app: App): void {
  const count = quarterHourly(app, attemptsPerOrigin, ({ ip }) => `sign-in-from:${addressOf(ip)}`);
  app.decorate('limitSignIn', async (request) => {
    const limit = await exceeded(count, request);
    if (!limit) return;
    const detail = `More than ${limit.max} attempts to sign in were begun within a quarter of an hour. Go on in ${limit.ttlInSeconds} s.`;
    throw tooMany('too_many_attempts', detail, limit.ttlInSeconds);
  });
}

/**
 * So that nobody's mailbox is filled through Ebb, and nobody tries many addresses. What a stranger uses up is not the owner's: it is
 * counted by place, and in browsers that are known to the address apart; so are a team's invitations. What is refused in one count is counted in none that
 * comes after it. Redis holds no mail address, but its hash.
 */
function limitMails(app: App, isKnownBrowser: Recognition['isKnownBrowser']): void {
  const to = (mailTo: string) => createHash('sha256').update(mailTo).digest('base64url');
  const byOrigin = quarterHourly(app, mailsPerOrigin, ({ ip }) => `mail-from:${addressOf(ip)}`);
  const fromOne = quarterHourly(
    app,
    mailsFromOne,
    ({ ip, mailTo }) => `mail-from-to:${addressOf(ip)}:${to(mailTo)}`,
  );
  const forKnown = quarterHourly(app, mailsForKnown, ({ mailTo }) => `mail-to-known:${to(mailTo)}`);
  const forOthers = quarterHourly(app, mailsForOthers, ({ mailTo }) => `mail-to:${to(mailTo)}`);
  const ofTeam = quarterHourly(
    app,
    mailsOfTeam,
    ({ principal, mailTo }) => `mail-of-team:${principal.teamId}:${to(mailTo)}`,
  );
  const limit = async (request: FastifyRequest, counts: Count[]) => {
    for (const count of counts) {
      const limited = await exceeded(count, request);
      if (!limited) continue;
      const elsewhere =
        count === forOthers ? ' A browser in which you signed in to this address before is not held up.' : '';
      const detail = `More than ${limited.max} links were asked for within a quarter of an hour. Go on in ${limited.ttlInSeconds} s.${elsewhere}`;
      throw tooMany('too_many_mails', detail, limited.ttlInSeconds);
    }
  };
  app.decorateRequest('mailTo', '');
  app.decorate('limitMail', async (request, email) => {
    request.mailTo = normalAddress(email);
    const isKnown = isKnownBrowser(request, request.mailTo);
    await limit(request, [byOrigin, fromOne, isKnown ? forKnown : forOthers]);
  });
  app.decorate('limitInvitation', async (request, email) => {
    request.mailTo = normalAddress(email);
    await limit(request, [byOrigin, ofTeam]);
  });
}

// Hooks: source hosts send those of all teams from the same addresses, and one team's wrong secret must not stop the others'.
// Tokens: who has a good key is not told from others before it is looked up. Probes carry nothing.
export const neverBlocked: ReadonlySet<string> = new Set([
  '/v1/hooks/:id',
  '/v1/token',
  '/v1/health',
  '/v1/ready',
]);

/**
 * An address that was refused too often is not listened to until its minute is over, but for who brings a good session or a token
 * that is signed: a build, or a page that somebody reads, must not stop the runner or the office that it shares an address with.
 */
function blockAddresses(app: App, { refusalsPerAddress: max, isSigned, isSignedIn }: BlockingOptions): void {
  const blockedUntil = new Map<string, number>();
  const count = app.createRateLimit({ max, keyGenerator: ({ ip }) => `address:${addressOf(ip)}` });
  const counts = ({ routeOptions }: FastifyRequest) => !neverBlocked.has(routeOptions.url ?? '');
  app.addHook('onRequest', async (request) => {
    const until = blockedUntil.get(addressOf(request.ip));
    if (until === undefined || !counts(request)) return;
    const seconds = Math.ceil((until - Date.now()) / 1000);
    if (seconds <= 0) return void blockedUntil.delete(addressOf(request.ip));
    if (await isSigned(request.headers.authorization?.split(' ')[1] ?? '')) return;
    if (await isSignedIn(request)) return;
    const detail = `More than ${max} requests of this address were refused within a minute. Go on in ${seconds} s, with a key or token that is good.`;
    throw tooMany('too_many_refusals', detail, seconds);
  });
  app.addHook('onResponse', async (request, { statusCode }) => {
    if (statusCode !== 401 || !counts(request)) return;
    const limit = await exceeded(count, request);
    if (!limit) return;
    if (blockedUntil.size >= maxBlocked) blockedUntil.clear();
    blockedUntil.set(addressOf(request.ip), Date.now() + limit.ttl);
  });
}

/** Of IPv6 the network that one customer has. */
function addressOf(ip: string): string {
  return normalizeIP(ip);
}

function tooMany(code: string, detail: string, seconds: number): ProblemError {
  return new ProblemError(429, code, detail, { headers: { 'retry-after': String(seconds) } });
}
