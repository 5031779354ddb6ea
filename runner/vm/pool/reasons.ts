import type { Breaker } from './breaker.ts';

/** What builds that wait are told, in sentences for the team. */
export function whyBroken(breaker: Breaker): string {
  const seconds = Math.ceil(breaker.retryInMs() / 1000);
  const next = seconds > 0 ? `next try in ${seconds} s` : 'one is being tried now';
  return `no VM could be started ${breaker.failures()} times (${breaker.lastError()}); ${next}`;
}

export function whyBootsWait(bootsAtOnce: number): string {
  return bootsAtOnce === 1
    ? 'waiting for another VM to boot: this runner boots one at a time'
    : `waiting for other VMs to boot: this runner boots ${bootsAtOnce} at a time`;
}

export function whyNoRoom(maxVms: number): string {
  return `waiting for a VM to end: this runner may have ${maxVms} at a time`;
}
