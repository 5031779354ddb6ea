import { leads } from '../../api/builds/state-machine.ts';
import { finalStates } from '../../contract/build.ts';
import type { Transition } from './history.ts';

const maxAttempts = 3;
const events = ['claim', 'vm_ready', 'lose', 'finish', 'end', 'approve', 'cancel'] as const;

/**
 * What is wrong with the past of a build, as sentences: it begins waiting, each step is one of the state machine's or
 * hands a running attempt to another lease, and of all ends there is one, the last. Pure.
 */
export function judgePast(id: string, past: Transition[]): string[] {
  const told = past.map(({ state, attempt }) => `${state} (${attempt})`).join(', ');
  const ends = past.filter(({ state }) => finalStates.includes(state));
  const wrongSteps = past.flatMap((step, index) => {
    const before = past[index - 1];
    return before && !follows(before, step) ? [`${before.state} to ${step.state}`] : [];
  });
  return [
    ...(past[0]?.state === 'queued' ? [] : [`${id} did not begin to wait: ${told}`]),
    ...(ends.length === 1 && ends[0] === past.at(-1) ? [] : [`${id} did not come to one end: ${told}`]),
    ...wrongSteps.map((step) => `${id} went from ${step}: ${told}`),
    ...(past.every(({ attempt }) => attempt <= maxAttempts) ? [] : [`${id} was tried too often: ${told}`]),
  ];
}

function follows(before: Transition, after: Transition): boolean {
  if (isTakeover(before, after)) return true;
  const claimed = after.state === 'starting' ? 1 : 0;
  return (
    after.attempt === before.attempt + claimed &&
    after.version > before.version &&
    events.some((event) => leads(before.state, event, after.state))
  );
}

/** Whether a running attempt goes on under another lease. */
export function isTakeover(before: Transition, after: Transition): boolean {
  return (
    before.state === 'running' &&
    after.state === 'running' &&
    after.attempt === before.attempt &&
    after.holder !== before.holder
  );
}
