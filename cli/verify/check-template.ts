import type { RamdiskPredicate } from '../../contract/ramdisk-predicate.ts';
import { ascends, decide, type Note } from './check.ts';

/** Says of a VM that it went on from a template, once what is told of that and what was seen agree. Throws FailedCheck. */
export function checkTemplate({ report }: NonNullable<RamdiskPredicate['vm']>, note: Note): void {
  const template = report?.template;
  const wentOn = goesOn(report?.outside);
  if (!template && !wentOn) return;
  const problem = () => {
    if (!template) return 'The VM did not boot, and nothing tells what it went on from.';
    if (!wentOn) return 'The VM is said to have gone on from a template, and its process was seen to boot.';
    return ascends([template.made_at, report.launched_at])
      ? undefined
      : 'The VM was launched before there was the template that it is said to have gone on from.';
  };
  decide(
    note,
    'template',
    problem(),
    `it went on from one of ${template?.made_at} that had no key yet; others may have too`,
  );
}

function goesOn(outside: unknown): boolean {
  const { arguments: given } = (outside ?? {}) as { arguments?: unknown };
  return Array.isArray(given) && given.includes('-incoming');
}
