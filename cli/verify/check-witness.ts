import type { ReceiptStatement } from '../../contract/receipt-statement.ts';
import { createHeadCheck } from './audit-head-check.ts';
import { FailedCheck, type Note } from './check.ts';
import { signingTime } from './check-statement.ts';

// The time of an entry and that of a receipt come from the clocks of two processes.
const toleranceMs = 60_000;

/** Checks the head of the audit trail that a statement carries, if it carries one. Throws FailedCheck. */
export function checkWitness(statement: ReceiptStatement, jwks: unknown, note: Note): void {
  const { predicate } = statement;
  if (!('audit_head' in predicate) || predicate.audit_head === undefined) return;
  const opened = createHeadCheck(jwks).head(predicate.audit_head);
  if ('problem' in opened)
    throw new FailedCheck('witness', `The head of the audit trail in it does not hold: ${opened.problem}`);
  const { team, seq, at } = opened.head;
  if (team !== predicate.team.id)
    throw new FailedCheck('witness', `The head of the audit trail in it is of ${team}, another team.`);
  if (Date.parse(at) > Date.parse(signingTime(statement)) + toleranceMs)
    throw new FailedCheck('witness', 'The head of the audit trail in it is younger than the receipt.');
  note('witness', `the audit trail of ${team} had ${seq} entries then, the last of ${at}`);
}
