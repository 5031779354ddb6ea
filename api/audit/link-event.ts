import type { AuditEntry } from '../../contract/audit.ts';

/** What happened, not yet in its place. */
export interface Event {
  id: string;
  at: Date;
  action: string;
  actor: string;
  subject: string;
  detail: Record<string, unknown>;
}

type Linked = Omit<AuditEntry, 'hash' | 'signature'>;

// Servers' clocks differ a little; what is more is worth telling.
const tellAfterMs = 1_000;

/**
 * The event as the entry that follows the end of a chain. Its time never goes back; where the clock was behind by more
 * than a second, `detail.clock` says what it showed.
 */
export function linkEvent(
  end: { team: string; seq: number; hash: string; at: Date },
  { id, at, action, actor, subject, detail }: Event,
): Linked {
  const behindMs = end.at.getTime() - at.getTime();
  const clock = behindMs > tellAfterMs ? { clock: at.toISOString() } : {};
  return {
    id,
    team: end.team,
    seq: end.seq + 1,
    previous: end.hash,
    at: new Date(Math.max(at.getTime(), end.at.getTime())).toISOString(),
    action,
    actor: storable(actor),
    subject: storable(subject),
    detail: asStored({ ...detail, ...clock }),
  };
}

/** As it comes back from the database, so that what was hashed is what is read. */
function asStored(detail: Record<string, unknown>): Record<string, unknown> {
  return JSON.parse(JSON.stringify(detail), (_name, value) =>
    typeof value === 'string' ? storable(value) : value,
  );
}

/** PostgreSQL stores neither NUL nor half a surrogate pair, and a source host may say either. */
function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\u{fffd}');
}
