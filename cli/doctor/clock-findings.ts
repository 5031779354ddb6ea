import type { Finding } from './finding.ts';

/** Tokens last minutes and statements are signed with their time. */
const mayDifferMs = 60_000;

/** Whether this machine and another one agree on the time. */
export function clockFindings(whose: string, theirs: Date, ours: Date): Finding[] {
  const differenceMs = ours.getTime() - theirs.getTime();
  if (Math.abs(differenceMs) <= mayDifferMs) return [];
  const seconds = Math.round(Math.abs(differenceMs) / 1000);
  return [
    {
      ...{ code: 'clock_is_off', severity: 'high' },
      what: `This machine's clock is ${seconds} s ${differenceMs > 0 ? 'ahead of' : 'behind'} that of ${whose}.`,
      why: 'Tokens are refused before they end or taken after it, and receipts state wrong times.',
      fix: 'Have both machines keep time by NTP (timedatectl set-ntp true), then look which one was wrong.',
    },
  ];
}
