import { createHash } from 'node:crypto';
import Value from 'typebox/value';
import { provenancePredicateType } from '../../contract/provenance.ts';
import { ramdiskPredicateType } from '../../contract/ramdisk-predicate.ts';
import {
  connectionRevocationPredicateType,
  type ReceiptKind,
  revocationPredicateType,
  teamRevocationPredicateType,
} from '../../contract/receipt.ts';
import {
  ConnectionRevocationStatement,
  ProvenanceStatement,
  RamdiskStatement,
  type ReceiptStatement,
  type RevocationPredicate,
  RevocationStatement,
  TeamRevocationStatement,
} from '../../contract/receipt-statement.ts';
import { decide, FailedCheck, type Note } from './check.ts';
import { checkProvenance } from './check-provenance.ts';
import { checkRamdisk } from './check-ramdisk.ts';
import { problemOfConnection, problemOfProject, problemOfTeam } from './revocation-problem.ts';

const schemas = [
  ProvenanceStatement,
  RamdiskStatement,
  RevocationStatement,
  ConnectionRevocationStatement,
  TeamRevocationStatement,
];
const kinds = {
  [provenancePredicateType]: 'provenance',
  [ramdiskPredicateType]: 'ramdisk',
  [revocationPredicateType]: 'revocation',
  [connectionRevocationPredicateType]: 'connection_revocation',
  [teamRevocationPredicateType]: 'team_revocation',
} as const satisfies Record<ReceiptStatement['predicateType'], ReceiptKind>;

/** Reads what was signed. Throws FailedCheck when it is no statement that Ebb signs. */
export function readStatement(payload: Buffer, note: Note): ReceiptStatement {
  const statement = parse(payload);
  const type = (statement as { predicateType?: unknown } | undefined)?.predicateType;
  const schema = schemas.find(({ properties }) => properties.predicateType.const === type);
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

type AnyRevocation = Exclude<ReceiptStatement, ProvenanceStatement | RamdiskStatement>;

function checkRevocation(statement: AnyRevocation, note: Note): void {
  const { what, id } = revokedBy(statement);
  const isOfIt = statement.subject.every(
    ({ name, digest }) => name === id && digest.sha256 === createHash('sha256').update(name).digest('hex'),
  );
  decide(
    note,
    'subject',
    isOfIt ? undefined : `Its subject is not the ${what} it speaks of, or the digest is not that of its id.`,
    `it speaks of the ${what} ${id}`,
  );
  const all = `all ${statement.predicate.steps.length} steps are there, each once and in order`;
  const more = {
    project: 'and every build is over',
    connection: 'and each of its projects has a receipt',
    team: 'and each of its connections has a receipt',
  };
  decide(note, 'revocation', problemOf(statement), `${all}, ${more[what]}`);
  if (statement.predicateType === revocationPredicateType) noteVms(statement.predicate, note);
}

/** It holds without this: nobody can see a VM end whose runner was lost. But who reads it must know. */
function noteVms({ builds_ended }: RevocationPredicate, note: Note): void {
  const vms = builds_ended.flatMap(({ vm, vm_gone_at, earlier_vms = [] }) =>
    vm === null ? earlier_vms : [...earlier_vms, { vm, vm_gone_at }],
  );
  const unseen = vms.filter(({ vm_gone_at }) => vm_gone_at === null).map(({ vm }) => vm);
  const found =
    unseen.length === 0
      ? `each of the ${vms.length} that its builds had was seen to end`
      : `NOT CONFIRMED: nobody saw ${unseen.join(', ')} end; left to end by itself 60 s after its runner`;
  note('vms', found);
}

/** What a statement says was revoked. */
export function revokedBy({ predicate }: AnyRevocation): {
  what: 'project' | 'connection' | 'team';
  id: string;
} {
  if ('project' in predicate) return { what: 'project', id: predicate.project.id };
  if ('connection' in predicate) return { what: 'connection', id: predicate.connection.id };
  return { what: 'team', id: predicate.team.id };
}

function problemOf({ predicate }: AnyRevocation): string | undefined {
  if ('project' in predicate) return problemOfProject(predicate);
  return 'connection' in predicate ? problemOfConnection(predicate) : problemOfTeam(predicate);
}

/** The kind of receipt that a statement makes. */
export function kindOf({ predicateType }: ReceiptStatement): ReceiptKind {
  return kinds[predicateType];
}

function parse(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString('utf8'));
  } catch {
    return undefined;
  }
}
