import type { Build } from '../../contract/build.ts';

const moments = ['vm_ready_at', 'checkout_done_at', 'first_step_at', 'finished_at', 'vm_gone_at'] as const;
const heads = ['build', 'state', 'VM ready', 'checkout done', 'first step', 'finished', 'VM gone'];

/** A table of when each build reached its milestones, in seconds after it was queued. */
export function timingTable(builds: readonly Build[]): string {
  const rows = builds.map((build) => [
    `#${build.number}`,
    build.state,
    ...moments.map((moment) => since(build.queued_at, build[moment])),
  ]);
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const format = (row: string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [format(heads), format(widths.map((width) => '─'.repeat(width))), ...rows.map(format)].join('\n');
}

function since(start: string, moment: string | null): string {
  return moment === null ? '–' : `${((Date.parse(moment) - Date.parse(start)) / 1000).toFixed(2)} s`;
}
