import { createHmac } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { QueueFullError } from '../../queue/build-queue.ts';
import type { ApiContext } from '../context.ts';
import { type Database, json } from '../db/database.ts';
import { sendRepresentation } from './etag.ts';
import { ProblemError } from './problem-error.ts';

const staleAfterMs = 60_000;
// Who repeats a request does so soon; Terraform tries again within the hour.
const keptForMs = 24 * 60 * 60_000;
const forgottenAtOnce = 1_000;

/** Forgets keys that came a day ago, the oldest first, a thousand at a time. */
export async function forgetOldKeys({ database, now }: ApiContext): Promise<void> {
  const old = database
    .selectFrom('idempotency_key')
    .select(['api_key_id', 'key'])
    .where('created_at', '<', new Date(now().getTime() - keptForMs))
    .orderBy('created_at')
    .limit(forgottenAtOnce);
  await database
    .deleteFrom('idempotency_key')
    .where(({ refTuple }) => refTuple('api_key_id', 'key'), 'in', old.$asTuple('api_key_id', 'key'))
    .execute();
}

/** Keeps what a repetition is answered. In the transaction that makes it, so that a process that dies then leaves no doubt. */
export type Remember<T> = (transaction: Database, answer: T) => Promise<void>;

/**
 * Runs a creation once for each `Idempotency-Key` of an API key, and answers 201 with Location and ETag: a repetition is
 * answered as the first request was, but for the members `shownOnce`, which are not kept. A key whose request never came to
 * an end may be used again after a minute, any other after a day.
 *
 * @see https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
 */
export async function once<T extends { id: string }>(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  create: (remember: Remember<T>) => Promise<T>,
  shownOnce: readonly string[] = [],
): Promise<T> {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return created(request, reply, await create(async () => {}), shownOnce);
  if (typeof key !== 'string' || key.length > 200 || key === '') {
    throw new ProblemError(
      400,
      'invalid_idempotency_key',
      'Idempotency-Key must be one value of 1 to 200 characters.',
    );
  }
  const owner = request.principal.keyId;
  const requestHash = fingerprint(context, request);
  const earlier = await reserve(context, { owner, key, requestHash });
  if (earlier) return created(request, reply, earlier.body as T, shownOnce);
  const remember: Remember<T> = async (database, body) =>
    void (await database
      .updateTable('idempotency_key')
      .set({ status: 201, body: json(without(body, shownOnce)) })
      .where('api_key_id', '=', owner)
      .where('key', '=', key)
      .execute());
  try {
    const body = await create(remember);
    await remember(context.database, body);
    return created(request, reply, body, shownOnce);
  } catch (error) {
    const refused = error instanceof ProblemError || error instanceof QueueFullError;
    await context.database
      .deleteFrom('idempotency_key')
      .where('api_key_id', '=', owner)
      .where('key', '=', key)
      // What broke off may have been made before: then its answer is remembered.
      .$if(!refused, (query) => query.where('status', 'is', null))
      .execute();
    throw error;
  }
}

function created<T extends { id: string }>(
  request: FastifyRequest,
  reply: FastifyReply,
  body: T,
  shownOnce: readonly string[],
): T {
  reply.code(201).header('location', `${request.url.split('?')[0]}/${body.id}`);
  sendRepresentation(reply, without(body, shownOnce));
  return body;
}

function without(body: object, members: readonly string[]): object {
  return Object.fromEntries(Object.entries(body).filter(([name]) => !members.includes(name)));
}

/** Keyed, because a body may hold a secret: who has a copy of the database must not be able to try values. */
function fingerprint(context: ApiContext, request: FastifyRequest): string {
  const key = context.custody.hookSecret('idempotency');
  const who = request.principal.projectId ?? '';
  const mac = createHmac('sha256', key).update(`${who}\n${request.url}\n${JSON.stringify(request.body)}`);
  key.fill(0);
  return mac.digest('hex');
}

/** Takes the key, or gives what its first request was answered. */
async function reserve(context: ApiContext, use: { owner: string; key: string; requestHash: string }) {
  const now = context.now();
  const stale = new Date(now.getTime() - staleAfterMs);
  const forgotten = new Date(now.getTime() - keptForMs);
  await context.database
    .deleteFrom('idempotency_key')
    .where('api_key_id', '=', use.owner)
    .where('key', '=', use.key)
    .where((is) =>
      is.or([
        is('created_at', '<', forgotten),
        is.and([is('status', 'is', null), is('created_at', '<', stale)]),
      ]),
    )
    .execute();
  const taken = await context.database
    .insertInto('idempotency_key')
    .values({
      api_key_id: use.owner,
      key: use.key,
      request_hash: use.requestHash,
      status: null,
      body: null,
      created_at: now,
    })
    .onConflict((conflict) => conflict.doNothing())
    .returning('key')
    .executeTakeFirst();
  if (taken) return undefined;
  const earlier = await context.database
    .selectFrom('idempotency_key')
    .select(['request_hash', 'status', 'body'])
    .where('api_key_id', '=', use.owner)
    .where('key', '=', use.key)
    .executeTakeFirst();
  if (earlier && earlier.request_hash !== use.requestHash) {
    throw new ProblemError(
      422,
      'idempotency_key_reused',
      'This Idempotency-Key came with another request before. Use a new one.',
    );
  }
  if (!earlier || earlier.status === null) {
    throw new ProblemError(
      409,
      'request_in_progress',
      'The first request with this Idempotency-Key is still running. Try again.',
      {
        headers: { 'retry-after': '1' },
      },
    );
  }
  return earlier;
}
