import { provenancePredicateType } from '../../contract/provenance.ts';
import { ramdiskPredicateType } from '../../contract/ramdisk-predicate.ts';
import type {
  ProvenanceStatement,
  RamdiskStatement,
  ReceiptStatement,
} from '../../contract/receipt-statement.ts';
import { type Check, FailedCheck, runChecks } from './check.ts';
import { checkLog } from './check-log.ts';
import { checkImage } from './check-measured-boot.ts';
import { kindOf, revokedBy } from './check-statement.ts';
import { describeReceipt } from './describe-receipt.ts';
import { checkFit } from './fit-together.ts';
import { readReceipts } from './read-receipts.ts';
import { verifyReceipt } from './verify-receipt.ts';

/** What was found of one receipt, or of two that belong together. */
export interface Finding {
  title: string;
  checks: Check[];
  /** What it says, for people; only when everything holds. */
  says: string[];
}

export interface FileVerdict {
  ok: boolean;
  findings: Finding[];
}

/** What else is to be checked, in full. */
interface ComparedWith {
  /** The log of the build that a provenance in the text speaks of. */
  log?: Buffer;
  /** The unified kernel image that the VMs in the text booted. */
  image?: Buffer;
}

/**
 * Checks every receipt of a text, and whether the two statements of a build and its log fit together. Stops at the first
 * check that fails: it is the last of the last finding.
 */
export function verifyFile(text: string, options: { jwks: unknown } & ComparedWith): FileVerdict {
  const findings: Finding[] = [];
  const holds = (finding: Finding) => {
    findings.push(finding);
    return finding.checks.every(({ ok }) => ok);
  };
  const statements: ReceiptStatement[] = [];
  for (const { place, value } of readReceipts(text)) {
    const verdict = verifyReceipt({ envelope: envelopeOf(value), jwks: options.jwks });
    const title = verdict.ok ? `${place}: ${kindOf(verdict.statement)}` : place;
    const label = verdict.ok ? checkLabel(value, verdict.statement) : [];
    const says = verdict.ok ? describeReceipt(verdict.statement) : [];
    if (!holds({ title, checks: [...verdict.checks, ...label], says })) return { ok: false, findings };
    if (verdict.ok) statements.push(verdict.statement);
  }
  for (const finding of together(statements, options)) if (!holds(finding)) return { ok: false, findings };
  return { ok: findings.length > 0, findings };
}

function* together(statements: ReceiptStatement[], { log, image }: ComparedWith): Generator<Finding> {
  const provenances = statements.filter((one) => kindOf(one) === 'provenance') as ProvenanceStatement[];
  const ramdisks = statements.filter((one) => kindOf(one) === 'ramdisk') as RamdiskStatement[];
  for (const provenance of provenances) {
    const { id } = provenance.predicate.runDetails.metadata.ebb_build;
    // A file with one of each is about one build, whatever they say.
    const alone = provenances.length === 1 && ramdisks.length === 1;
    const ramdisk = alone ? ramdisks[0] : ramdisks.find(({ predicate }) => predicate.build.id === id);
    if (ramdisk)
      yield { title: `${id}: both statements together`, checks: checkFit(provenance, ramdisk), says: [] };
  }
  if (log) yield { title: 'log', checks: checkLog(provenances, log), says: [] };
  if (image) yield { title: 'image', checks: checkImage(ramdisks, image), says: [] };
}

/** The API's receipt around an envelope is not signed: it must say what the statement says. */
function checkLabel(value: unknown, statement: ReceiptStatement): Check[] {
  const label = value as { envelope?: unknown; kind?: unknown; subject?: unknown; project_id?: unknown };
  if (label.envelope === undefined) return [];
  const { project, subject } = aboutOf(statement);
  return runChecks((note) => {
    if (label.kind !== kindOf(statement) || label.subject !== subject || label.project_id !== project)
      throw new FailedCheck('label', 'The receipt says something else of itself than what was signed.');
    note('label', `kind, subject and project of the receipt are those that were signed`);
  }).checks;
}

function aboutOf(statement: ReceiptStatement): { project: string | null; subject: string } {
  if (statement.predicateType === provenancePredicateType) {
    const { id, project } = statement.predicate.runDetails.metadata.ebb_build;
    return { project: project.id, subject: id };
  }
  if (statement.predicateType === ramdiskPredicateType) {
    const { build, project } = statement.predicate;
    return { project: project.id, subject: build.id };
  }
  const { what, id } = revokedBy(statement);
  return { project: what === 'project' ? id : null, subject: id };
}

function envelopeOf(value: unknown): unknown {
  return (value as { envelope?: unknown } | null | undefined)?.envelope ?? value;
}
