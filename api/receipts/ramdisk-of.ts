import type { RamdiskPredicate } from '../../contract/ramdisk-predicate.ts';
import type { BuildThatRan } from './sign-build-receipts.ts';

/** What is known of the VM of a build's last attempt. Pure. */
export function ramdiskOf(
  build: BuildThatRan,
  about: { uses: { build: string; attempt: number }[]; signedAt: Date },
): RamdiskPredicate {
  const iso = (moment: Date | null) => moment?.toISOString() ?? null;
  return {
    project: { id: build.project_id, name: build.project_name },
    team: { id: build.team_id, name: build.team_name },
    build: { id: build.id, number: build.number, attempt: build.attempt },
    vm:
      build.vm === null
        ? null
        : {
            id: build.vm,
            report: build.vm_report,
            inside: build.proof ?? null,
            ready_at: iso(build.vm_ready_at),
            destroyed_at: iso(build.vm_gone_at),
            exit: build.vm_exit,
            used_for: about.uses,
          },
    signed_at: about.signedAt.toISOString(),
  };
}
