import type { CustodyEvent } from '../../contract/custody-event.ts';
import type { BuildReports } from './control-plane.ts';

/** Tells the team's audit what one attempt does with keys and secrets, in the order it happens. */
export interface CustodyLog {
  /**
   * Resolves when it is written down. An opening waits for that, as long as `signal` lets it; when it rejects, nothing
   * is opened.
   */
  report(event: CustodyEvent, signal?: AbortSignal): Promise<void>;
  /** Resolves when all that was reported is written down, or was refused. */
  settled(): Promise<void>;
}

/**
 * @param options.from how many events the attempt has already, of who had the build before
 * @param options.signal until when an event is sent again
 * @param options.onLost called with an event that the API refused or did not hear of in time
 */
export function createCustodyLog(options: {
  reports: Pick<BuildReports, 'custody'>;
  from?: number;
  signal: AbortSignal;
  onLost(event: CustodyEvent, error: unknown): void;
}): CustodyLog {
  let number = options.from ?? 0;
  let last: Promise<void> = Promise.resolve();
  return {
    report(event, signal = options.signal) {
      number += 1;
      const numbered = { number, at: new Date().toISOString(), event };
      const told = last.then(() =>
        options.reports.custody(numbered, AbortSignal.any([options.signal, signal])),
      );
      last = told.catch((error) => options.onLost(event, error));
      return told;
    },
    settled: () => last,
  };
}
