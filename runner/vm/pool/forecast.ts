/** How many VMs of one kind should wait, learnt from how often one was asked for and how long it took to boot. */
export interface Forecast {
  /** A VM was asked for. */
  asked(now: number): void;
  /** A VM took this long to boot. */
  booted(ms: number): void;
  /** So many that while one boots, in 19 of 20 times no more are asked for; never more than `most`. */
  wanted(now: number, most: number): number;
  /** Whether it was not asked for in a long while. */
  isQuiet(now: number): boolean;
}

// Long enough to see a working day's rhythm of pushes, short enough to let go of VMs in a break.
const windowMs = 5 * 60_000;
const firstBootMs = 10_000;
const bootWeight = 0.3;
const confidence = 0.95;
/** Of one that was just asked for, a part so small says nothing of it any more. */
const quietPart = 0.01;

/** Moments are milliseconds of any one clock. */
export function createForecast(): Forecast {
  /** Asked for in a millisecond, as it was at `at`; it fades with time. */
  let rate = 0;
  let at = 0;
  let bootMs = firstBootMs;
  const rateAt = (now: number) => rate * Math.exp(-Math.max(0, now - at) / windowMs);
  return {
    asked(now) {
      rate = rateAt(now) + 1 / windowMs;
      at = now;
    },
    booted(ms) {
      bootMs += bootWeight * (ms - bootMs);
    },
    wanted: (now, most) => poissonQuantile(rateAt(now) * bootMs, most),
    isQuiet: (now) => rateAt(now) * windowMs < quietPart,
  };
}

/** The least n so that a Poisson variable of this mean is n or less with the confidence above; at most `most`. */
function poissonQuantile(mean: number, most: number): number {
  let term = Math.exp(-mean);
  let sum = term;
  let n = 0;
  while (sum < confidence && n < most) {
    n += 1;
    term *= mean / n;
    sum += term;
  }
  return n;
}
