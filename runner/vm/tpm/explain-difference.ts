import { judgedPcrs, type Measurement, pcrValues } from '../../image/measured/measurements.ts';
import { type BootEvent, parseEventLog } from './event-log.ts';

/**
 * Says in words how a start differs from the expected one. The log is believed only as far as it accounts for what the
 * TPM signed. There is always at least one sentence.
 */
export function explainDifference(
  expected: readonly Measurement[],
  eventLog: Buffer | undefined,
  accountsFor: (values: Map<number, Buffer>) => boolean,
): string[] {
  const unexplained = 'the VM did not start what it was to start';
  if (!eventLog) return [`${unexplained}, and showed no event log`];
  let events: BootEvent[];
  try {
    events = parseEventLog(eventLog);
  } catch (error) {
    return [`${unexplained}, and its event log cannot be read: ${(error as Error).message}`];
  }
  if (!accountsFor(pcrValues(events, judgedPcrs)))
    return [`${unexplained}, and its event log does not account for what the TPM signed`];
  const differences = judgedPcrs.flatMap((pcr) =>
    compare(
      pcr,
      expected.filter((one) => one.pcr === pcr),
      events.filter((one) => one.pcr === pcr),
    ),
  );
  return differences.length > 0 ? differences : [unexplained];
}

function compare(pcr: number, expected: readonly Measurement[], seen: readonly BootEvent[]): string[] {
  const register = `(register ${pcr})`;
  const common = expected.filter((_, index) => index < seen.length);
  const different = common.filter(({ digest }, index) => !seen[index]?.digest.equals(digest));
  const missing = expected.slice(seen.length);
  const additional = seen.slice(expected.length);
  return [
    ...different.map(({ what }) => `${what} is not that of the image ${register}`),
    ...missing.map(({ what }) => `${what} was not measured ${register}`),
    ...additional.map((event) => `something else was measured: ${describe(event)} ${register}`),
  ];
}

/** What the log says about an event: text, in either width, as far as it can be printed. */
function describe({ data, digest }: BootEvent): string {
  const text = data
    .toString('latin1')
    .replace(/\0/g, '')
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim();
  return text === '' ? `SHA-256 ${digest.toString('hex')}` : JSON.stringify(text.slice(0, 200));
}
