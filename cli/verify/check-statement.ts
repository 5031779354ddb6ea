import { createHash } from 'node:crypto';
import Value from 'typebox/value';
import { provenancePredicateType } from '../../contract/provenance.ts';
import { ramdiskPredicateType } from '../../contract/ramdisk-predicate.ts';
import { revocationPredicateType } from '../../contract/receipt.ts';
import {
  ProvenanceStatement,
  RamdiskStatement,
  type ReceiptStatement,
  RevocationStatement,
} from '../../contract/receipt-statement.ts';
import { decide, FailedCheck, type Note } from './check.ts';
import { checkProvenance } from './check-provenance.ts';
import { checkRamdisk } from './check-ramdisk.ts';
import { problemOfRevocation } from './statement-problem.ts';

/** Reads what was signed. Throws FailedCheck when it is no statement that Ebb signs. */
export function readStatement(payload: Buffer, note: Note): ReceiptStatement {
  const statement = parse(payload);
  const type = (statement as { predicateType?: unknown } | undefined)?.predicateType;
  const schema = [ProvenanceStatement, RamdiskStatement, RevocationStatement].find(
    ({ properties }) => properties.predicateType.const === type,
  );
  if (!schema || !Value.Check(schema, statement))
    throw new FailedCheck('statement', 'Its payload is no statement that Ebb signs.');
  note('statement', `in-toto Statement v1, ${type}`);
  return statement as ReceiptStatement;
}

/** When a statement says that it was signed, RFC 3339. */
export function signingTime(statement: ReceiptStatement): string {
  if (statement.predicateType === provenancePredicateType)
    return statement.predicate.runDetails.metadata.ebb_build.signedOn;
  return statement.predicateType === ramdiskPredicateType
    ? statement.predicate.signed_at
    : statement.predicate.finished_at;
}

/** Checks that what a statement says is complete and in order. Throws FailedCheck. */
export function checkContent(statement: ReceiptStatement, note: Note): void {
  if (statement.predicateType === provenancePredicateType) checkProvenance(statement, note);
  else if (statement.predicateType === ramdiskPredicateType) checkRamdisk(statement.predicate, note);
  else checkRevocation(statement, note);
}

function checkRevocation(statement: RevocationStatement, note: Note): void {
  const { id } = statement.predicate.project;
  const isOfProject = statement.subject.every(
    ({ name, digest }) => name === id && digest.sha256 === createHash('sha256').update(name).digest('hex'),
  );
  decide(
    note,
    'subject',
    isOfProject
      ? undefined
      : 'Its subject is not the project it speaks of, or the digest is not that of its id.',
    `it speaks of the project ${id}`,
  );
  decide(
    note,
    'revocation',
    problemOfRevocation(statement.predicate),
    `all ${statement.predicate.steps.length} steps are there, each once and in order, and no build was left running`,
  );
}

/** The kind of receipt that a statement makes. */
export function kindOf({ predicateType }: ReceiptStatement): 'provenance' | 'ramdisk' | 'revocation' {
  if (predicateType === revocationPredicateType) return 'revocation';
  return predicateType === provenancePredicateType ? 'provenance' : 'ramdisk';
}

function parse(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString('utf8'));
  } catch {
    return undefined;
  }
}
