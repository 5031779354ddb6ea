import type { AuditSummary } from './verify-audit.ts';

/** What was checked of a trail that holds, as lines for people. */
export function describeAudit(summary: AuditSummary): string[] {
  const { team, entries, first, end, keyids, keptHeads, behindClock } = summary;
  return [
    `team ${team}: ${count(entries, 'entry', 'entries')}, ${first} to ${end.at}`,
    `every entry is what was hashed, and follows the one before it: none was edited, left out, added or moved`,
    `every entry is signed with ${keyids.join(' or ')}, in use at its time`,
    'times never go back',
    `the signed head at the end is that of entry ${end.seq}, ${end.hash}`,
    ...keptHeads.map((seq) => `the kept head lies on the chain, at entry ${seq}`),
    ...(keptHeads.length === 0
      ? [
          'not checked: whether entries at the end were taken away, or all of them once; a head that you kept shows it (--head)',
        ]
      : []),
    ...(behindClock > 0
      ? [
          `a clock was behind at ${count(behindClock, 'entry', 'entries')}, which say what it showed (detail.clock)`,
        ]
      : []),
  ];
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}
