import type { ProvenanceStatement } from '../../contract/receipt-statement.ts';
import { ascends, decide, type Note } from './check.ts';

/** Checks that a build's provenance speaks of one source and one course of time. Throws FailedCheck. */
export function checkProvenance({ subject, predicate }: ProvenanceStatement, note: Note): void {
  const { externalParameters: given, resolvedDependencies } = predicate.buildDefinition;
  const { startedOn, finishedOn, ebb_build: build } = predicate.runDetails.metadata;
  const uri = `git+${given.repository}@${given.ref}`;
  const source = resolvedDependencies.find(({ name }) => name === 'source');
  const oneSource =
    subject.every(({ name, digest }) => name === uri && digest.gitCommit === given.commit) &&
    source?.uri === uri &&
    source.digest.gitCommit === given.commit;
  decide(
    note,
    'source',
    oneSource ? undefined : 'Its subject, its parameters and its dependencies do not name the same commit.',
    `subject, parameters and dependencies all name ${given.commit} of ${uri}`,
  );
  decide(
    note,
    'invocation',
    predicate.runDetails.metadata.invocationId ===
      `${build.id}/${predicate.buildDefinition.internalParameters.attempt}`
      ? undefined
      : 'It names one build as its invocation and tells of another.',
    `it tells of the build ${build.id}, attempt ${predicate.buildDefinition.internalParameters.attempt}`,
  );
  const ran = build.state === 'passed' || build.state === 'failed' || build.failedCommand !== null;
  decide(
    note,
    'vm',
    ran && build.vm === null ? `It tells of commands that ran (${build.state}), and names no VM.` : undefined,
    build.vm === null ? `none, and the build ended ${build.state}` : `it names the VM ${build.vm}`,
  );
  decide(
    note,
    'times',
    ascends([startedOn, finishedOn, build.signedOn]) ? undefined : 'Its times are not in order.',
    `started ${startedOn}, finished ${finishedOn}, signed ${build.signedOn}, in this order`,
  );
}
