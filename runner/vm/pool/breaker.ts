import type { Clock } from './clock.ts';

export type BreakerState = 'closed' | 'open' | 'half_open';

/** One attempt to have a VM, told once how it went; what is told later does not count. */
export interface Trial {
  succeeded(): void;
  failed(error: unknown): void;
  /** It ended for another reason, and says nothing about the next. */
  abandoned(): void;
}

export interface Breaker {
  state(): BreakerState;
  /** Whether an attempt may begin now. */
  admits(): boolean;
  begin(): Trial;
  /** Failures in a row. */
  failures(): number;
  /** The first line of the last failure. */
  lastError(): string;
  /** Milliseconds until the next attempt may begin; 0 when it may now. */
  retryInMs(): number;
}

export interface BreakerOptions {
  clock: Clock;
  /** From 0 to 1. */
  random: () => number;
  onChange(state: 'open' | 'closed'): void;
}

const failuresToOpen = 5;
const firstWaitMs = 5_000;
const longestWaitMs = 60_000;
const longestError = 200;

/**
 * Limits attempts while they fail:
 *
 *     closed ──5 failures in a row──▶ open ──its wait is over──▶ half_open, one attempt at a time
 *       ▲                              ▲                              │
 *       │                              └──failure: twice the wait─────┤
 *       └────────────────────success, also of an older attempt────────┘
 */
export function createBreaker({ clock, random, onChange }: BreakerOptions): Breaker {
  let failures = 0;
  let openings = 0;
  let lastError = '';
  /** Set unless it is closed. */
  let retryAt: number | undefined;
  let probe: Trial | undefined;

  const state = (): BreakerState => {
    if (retryAt === undefined) return 'closed';
    return clock.now() < retryAt ? 'open' : 'half_open';
  };
  const open = () => {
    const wait = Math.min(firstWaitMs * 2 ** openings, longestWaitMs);
    openings += 1;
    // Not exact, so that many runners whose boots failed together do not try together.
    retryAt = clock.now() + wait * (0.8 + 0.4 * random());
    onChange('open');
  };
  const close = () => {
    const wasClosed = retryAt === undefined;
    failures = 0;
    openings = 0;
    retryAt = undefined;
    probe = undefined;
    if (!wasClosed) onChange('closed');
  };
  const fail = (trial: Trial, error: unknown) => {
    failures += 1;
    lastError = firstLine(error);
    if (probe === trial) probe = undefined;
    // What began before it opened fails for the same cause and makes the wait no longer.
    else if (retryAt !== undefined || failures < failuresToOpen) return;
    open();
  };
  return {
    state,
    admits: () => state() !== 'open' && probe === undefined,
    begin() {
      let told = false;
      const once = (run: () => void) => {
        if (!told) run();
        told = true;
      };
      const trial: Trial = {
        succeeded: () => once(close),
        failed: (error) => once(() => fail(trial, error)),
        abandoned: () =>
          once(() => {
            if (probe === trial) probe = undefined;
          }),
      };
      if (state() === 'half_open') probe = trial;
      return trial;
    },
    failures: () => failures,
    lastError: () => lastError,
    retryInMs: () => Math.max(0, (retryAt ?? 0) - clock.now()),
  };
}

function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return (message.split('\n', 1)[0] ?? '').slice(0, longestError);
}
