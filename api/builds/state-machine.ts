import { type Selectable, sql, type UpdateObject } from 'kysely';
import type { BuildState } from '../../contract/build.ts';
import type { Database } from '../db/database.ts';
import type { Schema } from '../db/schema.ts';

/*
 *   awaiting_approval ── cancel ──▶ cancelled
 *     │ approve
 *     ▼        claim            vm_ready
 *   queued ───────────▶ starting ───────▶ running ── finish ──▶ passed | failed
 *     ▲ │                  │ │               │ │
 *     │ │ cancel           │ └───── end ─────┘ │────▶ errored | cancelled | timed_out
 *     │ └──────────────▶ cancelled             │
 *     └──────────────── lose ──────────────────┘
 *
 * Without a VM no command ran, so that nothing passes or fails from `starting`. What is to be cancelled or has begun its
 * deployment is not lost: it ends.
 */
const transitions = {
  claim: { from: ['queued'], to: ['starting'] },
  vm_ready: { from: ['starting'], to: ['running'] },
  lose: { from: ['starting', 'running'], to: ['queued'] },
  finish: { from: ['running'], to: ['passed', 'failed'] },
  end: { from: ['starting', 'running'], to: ['errored', 'cancelled', 'timed_out'] },
  approve: { from: ['awaiting_approval'], to: ['queued'] },
  cancel: { from: ['queued', 'awaiting_approval'], to: ['cancelled'] },
} as const satisfies Record<string, { from: readonly BuildState[]; to: readonly BuildState[] }>;

export type BuildEvent = keyof typeof transitions;
export type BuildRow = Selectable<Schema['build']>;

/** The attempt that a change is of, under its lease. */
export interface OfAttempt extends Pick<BuildRow, 'attempt' | 'lease_holder'> {
  /** Not while its runner has the database's word for the lease until later than this. */
  unheldAt?: Date;
}

/** Whether `event` leads from one state to the other. */
export function leads(from: BuildState, event: BuildEvent, to: BuildState): boolean {
  const { from: sources, to: targets } = transitions[event];
  return (sources as readonly BuildState[]).includes(from) && (targets as readonly BuildState[]).includes(to);
}

/**
 * The only way to change a build's state: one conditional UPDATE, so that of two changes at once one wins. Gives the
 * new row, or undefined when the build is not in a state that the event starts from (or at another attempt or lease).
 */
export async function transition(
  database: Database,
  buildId: string,
  event: BuildEvent,
  to: BuildState,
  fields: UpdateObject<Schema, 'build'> = {},
  of?: OfAttempt,
): Promise<BuildRow | undefined> {
  const { from, to: targets } = transitions[event];
  if (!(targets as readonly BuildState[]).includes(to))
    throw new Error(`The event ${event} does not lead to ${to}.`);
  return await database
    .updateTable('build')
    .set({ ...fields, state: to, status_version: sql<number>`status_version + 1` })
    // Only an attempt that runs can be taken over, and what was said of a lease ends with it.
    .$if(to !== 'running', (query) => query.set({ vm_handle: null, log_cursor: null, held_until: null }))
    .where('id', '=', buildId)
    .where('state', 'in', [...from])
    .$if(of !== undefined, (query) =>
      query
        .where('attempt', '=', of?.attempt ?? 0)
        .where('lease_holder', 'is not distinct from', of?.lease_holder ?? null),
    )
    .$if(of?.unheldAt !== undefined, (query) =>
      query.where((is) =>
        is.or([is('held_until', 'is', null), is('held_until', '<=', of?.unheldAt ?? null)]),
      ),
    )
    .$if(event === 'lose', (query) =>
      query.where('cancel_requested', '=', false).where('deploy_started', '=', false),
    )
    .returningAll()
    .executeTakeFirst();
}
