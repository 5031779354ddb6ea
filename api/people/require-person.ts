import type { FastifyRequest } from 'fastify';
import type { Check } from '../auth/check.ts';
import type { ApiContext } from '../context.ts';
import { readCookie } from './cookies.ts';
import { notSignedIn } from './require-live-person.ts';
import { requireSameOrigin } from './require-same-origin.ts';
import { useSession } from './session-store.ts';

/** Who is signed in in the browser that asks. */
export interface SignedIn {
  personId: string;
  sessionId: string;
  email: string;
}

declare module 'fastify' {
  interface FastifyRequest {
    person: SignedIn;
  }
}

/** Lets a person through who is signed in, and puts the person on the request. */
export function requirePerson(context: ApiContext): Check {
  return async (request, counted) => {
    const person = await findPerson(context, request);
    if (!person) throw notSignedIn();
    request.person = person;
    await counted();
  };
}

/** The person of the request's cookie; undefined without a good one. Throws for a request that another site made. */
export async function findPerson(
  context: ApiContext,
  request: FastifyRequest,
): Promise<SignedIn | undefined> {
  const token = readCookie(context, request.headers.cookie, 'session');
  if (token === undefined) return undefined;
  requireSameOrigin(request, context.publicUrl);
  const session = await useSession(context, token);
  if (!session) return undefined;
  const { id, person_id, email } = session;
  return { personId: person_id, sessionId: id, email };
}

/** Whether the request's cookie is of a session that is good, whoever made the request. */
export async function isSignedIn(context: ApiContext, { headers }: FastifyRequest): Promise<boolean> {
  const token = readCookie(context, headers.cookie, 'session');
  return token !== undefined && (await useSession(context, token)) !== undefined;
}
