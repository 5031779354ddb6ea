import { setTimeout as delay } from 'node:timers/promises';
import { sql } from 'kysely';
import { type Database, json } from '../db/database.ts';
import { ProblemError } from '../http/problem-error.ts';
import type { WebhookEvent } from '../source-hosts/webhook-event.ts';

/** An authentic delivery, to be stored. */
export interface NewDelivery {
  hookId: string;
  event: WebhookEvent;
  /** SHA-256 of the body, in hexadecimal: a signed body counts once, also under another id in its headers. */
  digest: string;
}

/** `gone`: the hook is not there any more. `duplicate`: it was stored before. `replayed`: under another id, or with another body. */
export type Storing = 'stored' | 'gone' | 'duplicate' | 'replayed';

export interface DeliveryStore {
  /** Resolves when it is on the database's disk. Throws a 503 problem when too many wait. */
  store(delivery: NewDelivery): Promise<Storing>;
  /** Whether more than two hundred came in about the last second. */
  isBusy(): boolean;
}

interface Waiting extends NewDelivery {
  resolve(storing: Storing): void;
  reject(error: unknown): void;
}

const maxBatch = 200;
const maxWaiting = 5_000;
const busyFrom = 200;
const gatherMs = 3;

/**
 * Stores deliveries in groups: what comes while one group is being written makes the next, so that a burst costs few
 * commits. `onStored` is called after each group.
 */
export function createDeliveryStore(
  { database, now }: { database: Database; now: () => Date },
  onStored: () => void,
): DeliveryStore {
  const waiting: Waiting[] = [];
  let load = { count: 0, at: performance.now() };
  let writing = false;

  const write = async () => {
    writing = true;
    while (waiting.length > 0) {
      // A commit for two costs nearly as much as one for ten.
      if (decayed(load).count > busyFrom) await delay(gatherMs);
      const batch = takeBatch(waiting);
      await writeBatch(database, batch, now());
      onStored();
    }
    writing = false;
  };

  return {
    store: (delivery) =>
      new Promise((resolve, reject) => {
        if (waiting.length >= maxWaiting) {
          reject(
            new ProblemError(
              503,
              'busy',
              'Too many deliveries wait to be stored. Deliver it again in a moment.',
              {
                headers: { 'retry-after': '5' },
              },
            ),
          );
          return;
        }
        load = decayed(load);
        load.count += 1;
        waiting.push({ ...delivery, resolve, reject });
        if (!writing) void write();
      }),
    isBusy: () => decayed(load).count > busyFrom,
  };
}

/** What came counts less the longer ago it was: a third after a second. */
function decayed({ count, at }: { count: number; at: number }) {
  const now = performance.now();
  return { count: count * Math.exp((at - now) / 1000), at: now };
}

/** From the front, without two that the database would have to tell apart in one statement. */
function takeBatch(waiting: Waiting[]): Waiting[] {
  const seen = new Set<string>();
  let count = 0;
  for (const { hookId, event, digest } of waiting) {
    const names = [`${hookId} ${event.delivery}`, `${hookId} ${digest}`];
    if (count === maxBatch || names.some((name) => seen.has(name))) break;
    for (const name of names) seen.add(name);
    count += 1;
  }
  return waiting.splice(0, count);
}

/** One that the database does not take does not keep it from taking the others. */
async function writeBatch(database: Database, batch: Waiting[], now: Date): Promise<void> {
  try {
    await writeTogether(database, batch, now);
  } catch (error) {
    if (batch.length > 1 && isOfData(error)) {
      for (const one of batch) await writeBatch(database, [one], now);
    } else for (const { reject } of batch) reject(error);
  }
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html: class 22 is about what was to be stored. */
function isOfData(error: unknown): boolean {
  return String((error as { code?: unknown }).code).startsWith('22');
}

async function writeTogether(database: Database, batch: Waiting[], now: Date): Promise<void> {
  const rows = batch.map(({ hookId: hook, event, digest }, place) => ({
    place,
    hook,
    delivery: event.delivery,
    digest: startsSomething(event) && !event.bodyMayRepeat ? digest : null,
    event_name: event.event,
    ref: 'ref' in event ? event.ref : null,
    commit: 'commit' in event ? event.commit : null,
    event,
  }));
  const { rows: stored } = await sql<{ hook: string; delivery: string }>`
    insert into webhook_delivery
      (hook_binding_id, delivery, received_at, body_digest, event_name, ref, commit, event)
    select hook, delivery, ${now}, decode(digest, 'hex'), event_name, ref, commit, event
    from jsonb_to_recordset(${json(rows)}) as incoming
      (place integer, hook text, delivery text, digest text, event_name text, ref text, commit text, event jsonb)
    join hook_binding on hook_binding.id = hook and hook_binding.remove_again_at is null
    join project on project.id = hook_binding.project_id and project.revoking_at is null
    order by place
    on conflict do nothing
    returning hook_binding_id as hook, delivery
  `.execute(database);
  const done = new Set(stored.map(({ hook, delivery }) => `${hook} ${delivery}`));
  for (const one of batch) {
    if (done.has(`${one.hookId} ${one.event.delivery}`)) one.resolve('stored');
    else one.resolve(await whyNot(database, one));
  }
}

/** Of what starts nothing two bodies may well be equal, such as two pings. */
function startsSomething({ event }: WebhookEvent): boolean {
  return event === 'push' || event === 'pull_request';
}

async function whyNot(database: Database, { hookId, event, digest }: NewDelivery): Promise<Storing> {
  const row = await database
    .selectFrom('webhook_delivery')
    .select(['body_digest', 'delivery'])
    .where('hook_binding_id', '=', hookId)
    .where((is) =>
      is.or([is('delivery', '=', event.delivery), is('body_digest', '=', Buffer.from(digest, 'hex'))]),
    )
    .executeTakeFirst();
  if (!row) return 'gone';
  if (row.delivery !== event.delivery) return 'replayed';
  const sameBody = row.body_digest === null || Buffer.from(row.body_digest).toString('hex') === digest;
  return sameBody ? 'duplicate' : 'replayed';
}
