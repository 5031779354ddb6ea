/** The moment so many seconds later; earlier, when they are negative. */
export function secondsAfter(at: Date, seconds: number): Date {
  return new Date(at.getTime() + seconds * 1000);
}
