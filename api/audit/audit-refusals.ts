import type { ApiContext } from '../context.ts';
import { type Audited, recordAudit } from './record-audit.ts';

const windowMs = 60 * 60_000;
const maxInWindow = 10;
const maxKept = 10_000;

interface Window {
  since: number;
  /** Refusals beyond those that were recorded, and the last of them. */
  unrecorded: number;
  last: Audited;
  recorded: number;
}

/** Records refusals, not each of them. */
export interface RefusalAudit {
  /** A failure to record is logged and changes nothing for who was refused. */
  (refusal: Audited): Promise<void>;
  /** Records how many of the hours that are over were not recorded; with `all`, of those under way too. */
  flush(options?: { all?: boolean }): Promise<void>;
}

/**
 * Who is refused may try as often as he likes, so not every try is written down: of one action, subject, actor, code and
 * thing asked for the first ten of an hour, and at its end how many more there were. Nobody's tries hide another's.
 */
export function createRefusalAudit(
  context: Pick<ApiContext, 'database' | 'now' | 'signer' | 'log'>,
): RefusalAudit {
  const windows = new Map<string, Window>();
  const record = (refusal: Audited) =>
    recordAudit(context, refusal).catch((error) =>
      context.log.warn({ error: String(error) }, 'a refusal could not be written to the audit'),
    );
  const close = async (name: string, window: Window) => {
    windows.delete(name);
    const { last, unrecorded } = window;
    if (unrecorded > 0) await record({ ...last, detail: { ...last.detail, unrecorded_before: unrecorded } });
  };
  const refused = async (refusal: Audited) => {
    const { action, subject, actor, teamId, detail } = refusal;
    const name = JSON.stringify([teamId, action, subject, actor, detail.code, detail.of]);
    const now = context.now().getTime();
    const open = windows.get(name);
    if (open && now - open.since >= windowMs) await close(name, open);
    const [oldest] = windows;
    if (oldest && windows.size >= maxKept) await close(...oldest);
    const window = windows.get(name) ?? { since: now, unrecorded: 0, recorded: 0, last: refusal };
    windows.set(name, window);
    if (window.recorded < maxInWindow) {
      window.recorded += 1;
      await record(refusal);
    } else {
      window.unrecorded += 1;
      window.last = refusal;
    }
  };
  const flush = async ({ all = false } = {}) => {
    const now = context.now().getTime();
    for (const [name, window] of windows)
      if (all || now - window.since >= windowMs) await close(name, window);
  };
  return Object.assign(refused, { flush });
}
