import type { ReceiptStatement } from '../../contract/receipt-statement.ts';
import { type Check, runChecks } from './check.ts';
import { checkEnvelope, checkPeriod } from './check-envelope.ts';
import { checkContent, readStatement, signingTime } from './check-statement.ts';
import { checkWitness } from './check-witness.ts';

export { describeReceipt } from './describe-receipt.ts';

export type Verdict =
  | { ok: true; checks: Check[]; statement: ReceiptStatement; keyid: string }
  | { ok: false; checks: Check[]; problem: string };

/**
 * Checks a receipt offline: its Ed25519 signature by a receipt key of `jwks` that was in use at that time, and that what
 * it states is complete and in order. Never throws; `checks` are all up to the first that failed, `problem` is its
 * sentence.
 */
export function verifyReceipt({ envelope, jwks }: { envelope: unknown; jwks: unknown }): Verdict {
  const { checks, value } = runChecks((note) => {
    const { key, payload } = checkEnvelope(envelope, jwks, note);
    const statement = readStatement(payload, note);
    checkPeriod(key, signingTime(statement), note);
    checkContent(statement, note);
    checkWitness(statement, jwks, note);
    return { statement, keyid: key.kid };
  });
  if (value) return { ok: true, checks, ...value };
  const failed = checks.at(-1);
  return { ok: false, checks, problem: failed ? `${failed.name}: ${failed.detail}` : 'Nothing was checked.' };
}
