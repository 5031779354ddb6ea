import {
  type Byproduct,
  buildType,
  type ProvenancePredicate,
  type ResourceDescriptor,
} from '../../contract/provenance.ts';
import { version } from '../../contract/version.ts';
import type { VmReport } from '../../contract/vm.ts';
import type { LogDigest } from './log-digest.ts';
import type { BuildThatRan } from './sign-build-receipts.ts';

/** The commit that was built, as both statements of a build have it as their subject. Pure. */
export function sourceOf({ parameters, ref, commit }: BuildThatRan) {
  return { name: `git+${parameters.repository}@${ref}`, digest: { gitCommit: commit } };
}

/**
 * SLSA provenance of a build; docs/build-type.md says what each field means. Pure.
 *
 * @see https://slsa.dev/spec/v1.0/provenance
 */
export function provenanceOf(
  build: BuildThatRan,
  about: { publicUrl: string; log: LogDigest; signedAt: Date },
): ProvenancePredicate {
  const { memoryMib, timeoutSeconds, ...declared } = build.parameters;
  const source = sourceOf(build);
  return {
    buildDefinition: {
      buildType,
      externalParameters: { ...declared, ref: build.ref, commit: build.commit },
      internalParameters: { attempt: build.attempt, trigger: build.trigger, memoryMib, timeoutSeconds },
      resolvedDependencies: [
        { name: 'source', uri: source.name, digest: source.digest },
        ...imageParts(build.vm_report),
      ],
    },
    runDetails: {
      builder: {
        id: about.publicUrl,
        version: { api: version, ...(build.vm_report ? { runner: build.vm_report.runner.version } : {}) },
      },
      metadata: {
        invocationId: `${build.id}/${build.attempt}`,
        startedOn: build.started_at.toISOString(),
        finishedOn: build.finished_at.toISOString(),
        ebb_build: {
          id: build.id,
          number: build.number,
          project: { id: build.project_id, name: build.project_name },
          team: { id: build.team_id, name: build.team_name },
          vm: build.vm,
          state: build.state,
          failedCommand: build.failed_command,
          exitCode: build.exit_code,
          signedOn: about.signedAt.toISOString(),
        },
      },
      byproducts: [
        {
          name: 'log',
          uri: `${about.publicUrl}/v1/builds/${build.id}/log`,
          mediaType: 'text/plain; charset=utf-8',
          ...knownOf(about.log),
        },
      ],
    },
  };
}

function knownOf(log: LogDigest): Pick<Byproduct, 'digest' | 'annotations'> {
  if ('destroyedAt' in log) return { annotations: { ebb_destroyed_at: log.destroyedAt.toISOString() } };
  return { digest: { sha256: log.sha256 }, annotations: { ebb_bytes: log.bytes } };
}

/** What the VM booted, a dependency for each part of its image; none where no VM came up. */
function imageParts(report: VmReport | null): ResourceDescriptor[] {
  if (!report) return [];
  const { recipe, digests } = report.image;
  return Object.entries(digests)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([part, sha256]) => ({ name: `image/${recipe}/${part}`, digest: { sha256 } }));
}
