/** One measure of a benchmark, as its line in the output has it. */
export interface Measure {
  bench: string;
  measure: string;
  value: number;
  unit: string;
  /** What it is compared with, measured in the same run; null when the target is a number alone. */
  against: string | null;
  ratio: number | null;
  /** Null where it is for comparison alone. */
  target: string | null;
  met: boolean | null;
}

/** Ends a benchmark: one JSON line for each measure. */
export function report(measures: Measure[]): void {
  for (const measure of measures) console.log(JSON.stringify(measure));
}

/** The one in the middle. */
export function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

export function rounded(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}
