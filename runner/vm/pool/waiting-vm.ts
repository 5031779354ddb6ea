import type { LiveVm } from '../live-vm.ts';
import type { Trial } from './breaker.ts';
import type { Clock } from './clock.ts';
import { answers } from './health.ts';

/** A VM that waits to be used. */
export interface WaitingVm {
  live: LiveVm;
  trial: Trial;
  /** When it came up, by the pool's clock. */
  since: number;
  /** Whether another should take its place: it is nearly too old, or of an older image. */
  outdated: boolean;
  /** Whether it answered a moment ago. */
  isSure(): boolean;
  /** Asks it whether it answers, unless it is being asked. */
  ask(): void;
  /** It waits no more: nothing is told of it from now on. */
  leave(): void;
}

export interface WaitingVmOptions {
  live: LiveVm;
  trial: Trial;
  clock: Clock;
  random: () => number;
  maxAgeMs: number;
  /** It cannot wait any longer. */
  onGone(cause: 'died' | 'unhealthy' | 'expired'): void;
  /** It answered, or became outdated. */
  onChange(): void;
}

const askEveryMs = 15_000;
const sureForMs = 2_000;

/** Watches over a VM that has just come up, for as long as it waits. */
export function watchWaitingVm(options: WaitingVmOptions): WaitingVm {
  const { live, trial, clock, onGone, onChange } = options;
  const left = new AbortController();
  const timers = new Set<() => void>();
  let answeredAt = clock.now();
  let asking = false;

  const leave = () => {
    left.abort();
    for (const cancel of timers) cancel();
  };
  const gone = (cause: 'died' | 'unhealthy' | 'expired') => {
    if (left.signal.aborted) return;
    leave();
    onGone(cause);
  };
  const ask = async () => {
    if (asking) return;
    asking = true;
    const healthy = await answers(live.connection, clock);
    asking = false;
    if (left.signal.aborted) return;
    if (!healthy) return gone('unhealthy');
    answeredAt = clock.now();
    trial.succeeded();
    onChange();
  };
  const at = (ms: number, run: () => void) => {
    const cancel = clock.after(ms, () => {
      timers.delete(cancel);
      run();
    });
    timers.add(cancel);
  };
  const askAgain = () => {
    void ask();
    at(askEveryMs, askAgain);
  };
  const vm: WaitingVm = {
    live,
    trial,
    since: clock.now(),
    outdated: false,
    isSure: () => clock.now() - answeredAt <= sureForMs,
    ask: () => void ask(),
    leave,
  };
  at(askEveryMs, askAgain);
  at(options.maxAgeMs, () => gone('expired'));
  // Not all at once, when they came up together.
  at(options.maxAgeMs * (0.7 + 0.2 * options.random()), () => {
    vm.outdated = true;
    onChange();
  });
  void live.vm.exited.then(() => gone('died'));
  const { closed } = live.connection;
  if (closed.aborted) queueMicrotask(() => gone('died'));
  closed.addEventListener('abort', () => gone('died'), { signal: left.signal });
  return vm;
}
