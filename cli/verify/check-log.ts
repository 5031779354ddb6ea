import { createHash } from 'node:crypto';
import type { ProvenanceStatement } from '../../contract/receipt-statement.ts';
import { type Check, FailedCheck, runChecks } from './check.ts';

/** Checks that a log begins with the bytes that one of these provenances names, and says what comes after them. */
export function checkLog(provenances: ProvenanceStatement[], log: Buffer): Check[] {
  return runChecks((note) => {
    const named = provenances.flatMap(({ predicate }) =>
      predicate.runDetails.byproducts.filter(({ name }) => name === 'log'),
    );
    const fitting = named.find(({ digest, annotations }) => {
      const bytes = Number(annotations?.ebb_bytes);
      const sha256 = createHash('sha256').update(log.subarray(0, bytes)).digest('hex');
      // Every log begins with nothing.
      return log.length >= bytes && (bytes > 0 || log.length === 0) && digest?.sha256 === sha256;
    });
    if (!fitting) throw new FailedCheck('log', problemOf(named.map(({ annotations }) => annotations)));
    const bytes = Number(fitting.annotations?.ebb_bytes);
    const beyond = log.length - bytes;
    const rest = beyond === 0 ? 'and there are no more' : `the ${beyond} after them were not signed`;
    note('log', `its first ${bytes} bytes are the log that the provenance names; ${rest}`);
  }).checks;
}

function problemOf(named: (Record<string, unknown> | undefined)[]): string {
  const destroyed = named.map((annotations) => annotations?.ebb_destroyed_at).find((at) => at !== undefined);
  return destroyed === undefined
    ? 'It is not the log that a provenance of this file names.'
    : `No log was signed: its key was destroyed at ${destroyed}, before the receipt was. Nothing can be said of it.`;
}
