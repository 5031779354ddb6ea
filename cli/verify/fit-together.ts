import type { ProvenanceStatement, RamdiskStatement } from '../../contract/receipt-statement.ts';
import { type Check, decide, runChecks } from './check.ts';

// Provenance tells the control plane's time and the other statement the runner's; clocks of servers differ less.
const clockSkewMs = 60_000;

/** Checks that the two statements of a build, each verified, tell the same of it. */
export function checkFit(provenance: ProvenanceStatement, ramdisk: RamdiskStatement): Check[] {
  const { buildDefinition, runDetails } = provenance.predicate;
  const { ebb_build: build, startedOn, finishedOn } = runDetails.metadata;
  const { predicate } = ramdisk;
  const { vm } = predicate;
  const same = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other);
  const dependencies = buildDefinition.resolvedDependencies
    .filter(({ name }) => name.startsWith('image/'))
    .map(({ name, digest }) => [name, digest.sha256]);
  const booted = vm?.report ? imageParts(vm.report.image) : [];
  const ready = Date.parse(vm?.ready_at ?? startedOn);
  const inTime =
    ready >= Date.parse(startedOn) - clockSkewMs && ready <= Date.parse(finishedOn) + clockSkewMs;
  const facts: [name: string, fits: boolean, problem: string, found: string][] = [
    [
      'same-build',
      same(predicate.build.id, build.id),
      'They speak of two builds.',
      `both speak of ${build.id}`,
    ],
    [
      'same-source',
      same(provenance.subject, ramdisk.subject),
      'They name two commits.',
      `both name ${buildDefinition.externalParameters.commit}`,
    ],
    [
      'same-attempt',
      same(predicate.build.attempt, buildDefinition.internalParameters.attempt),
      'They speak of two attempts.',
      `both speak of attempt ${predicate.build.attempt}`,
    ],
    [
      'same-vm',
      same(vm?.id ?? null, build.vm),
      'They name two VMs.',
      vm ? `both name ${vm.id}` : `neither names one; the build ended ${build.state} before one was reported`,
    ],
    [
      'same-image',
      same(booted, dependencies),
      'The VM did not boot the image that the provenance names.',
      booted.length === 0
        ? 'neither names an image'
        : `the VM booted the ${booted.length} parts that the provenance names`,
    ],
    [
      'same-time',
      inTime && predicate.signed_at === build.signedOn,
      'Their times do not fit together.',
      'the VM was ready while the build ran, and both were signed at once',
    ],
  ];
  return runChecks((note) => {
    for (const [name, fits, problem, found] of facts) decide(note, name, fits ? undefined : problem, found);
  }).checks;
}

function imageParts({ recipe, digests }: { recipe: string; digests: Record<string, string> }) {
  return Object.entries(digests)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([part, sha256]) => [`image/${recipe}/${part}`, sha256]);
}
