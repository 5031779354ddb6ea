import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiContext } from '../context.ts';
import { notFound } from '../http/problem-error.ts';
import { continueRevocation } from './continue-revocation.ts';
import { type Asked, openRevocation } from './open-revocation.ts';
import { type RevocationRow, readRevocation } from './revocation-store.ts';

// The work goes on behind an answer; what does not end in this time is taken up by `resumeRevocations`.
const attemptMs = 600_000;
// Well before the connection, or a router on the way, is cut for being silent.
const answerAfterMs = 20_000;

/**
 * Revokes, and answers after 20 s at the latest with how far it is: finished, or going on without the caller.
 * Throws problems: 404, and 503 when something holds it up.
 */
export async function askToRevoke(context: ApiContext, asked: Asked): Promise<RevocationRow> {
  const revocation = await openRevocation(context, asked);
  if (!revocation) throw notFound(asked.kind, asked.subject);
  const signal = AbortSignal.any([context.stopping, AbortSignal.timeout(attemptMs)]);
  const answered = new AbortController();
  const work = continueRevocation(context, revocation, signal).catch((error) => {
    if (!answered.signal.aborted) throw error;
    context.log.warn({ revocation: revocation.id, err: error }, 'a revocation stays open');
  });
  try {
    await Promise.race([work, sleep(answerAfterMs, undefined, { signal: answered.signal })]);
  } finally {
    answered.abort();
  }
  return await readRevocation(context.database, revocation.id);
}
