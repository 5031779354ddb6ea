import type { Clock } from './clock.ts';

export interface ClockForTests extends Clock {
  /** Lets time pass: what is due runs in its order, each at its moment. */
  pass(ms: number): void;
  /** How many calls are still to come. */
  pending(): number;
}

/** A clock that stands still until it is told to go on. */
export function createClockForTests(): ClockForTests {
  let now = 0;
  let timers: { at: number; run(): void }[] = [];
  const next = (until: number) => {
    const due = timers.filter(({ at }) => at <= until);
    return due.toSorted((a, b) => a.at - b.at)[0];
  };
  return {
    now: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    pass(ms) {
      const until = now + ms;
      for (let timer = next(until); timer; timer = next(until)) {
        const { at, run } = timer;
        timers = timers.filter((other) => other !== timer);
        now = Math.max(now, at);
        run();
      }
      now = until;
    },
    pending: () => timers.length,
  };
}
