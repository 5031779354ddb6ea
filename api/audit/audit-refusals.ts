import type { ApiContext } from '../context.ts';
import { type Audited, recordAudit } from './record-audit.ts';

const windowMs = 60 * 60_000;
const maxInWindow = 10;
const maxKept = 10_000;

interface Window {
  since: number;
  count: number;
}

/**
 * Records refusals. Who is refused may try as often as he likes, so not every try is written down: of one action and
 * subject the first ten of an hour, then the first of the next hour with how many were not recorded. A failure to
 * record is logged and changes nothing for who was refused.
 */
export function createRefusalAudit(context: Pick<ApiContext, 'database' | 'now' | 'signer' | 'log'>) {
  const windows = new Map<string, Window>();
  return async (refusal: Audited): Promise<void> => {
    const now = context.now();
    const name = `${refusal.action} ${refusal.subject} ${refusal.detail.code ?? ''}`;
    let window = windows.get(name);
    let unrecorded = 0;
    if (!window || now.getTime() - window.since >= windowMs) {
      unrecorded = Math.max(0, (window?.count ?? 0) - maxInWindow);
      window = { since: now.getTime(), count: 0 };
      windows.delete(name);
      if (windows.size >= maxKept) windows.delete(windows.keys().next().value ?? '');
      windows.set(name, window);
    }
    window.count += 1;
    if (window.count > maxInWindow) return;
    const detail = { ...refusal.detail, ...(unrecorded > 0 ? { unrecorded_before: unrecorded } : {}) };
    await recordAudit(context, { ...refusal, detail }).catch((error) =>
      context.log.warn({ error: String(error) }, 'a refusal could not be written to the audit'),
    );
  };
}

export type RefusalAudit = ReturnType<typeof createRefusalAudit>;
