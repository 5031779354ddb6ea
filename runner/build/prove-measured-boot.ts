import type { LiveVm } from '../vm/pool.ts';
import { TpmError } from '../vm/tpm/commands.ts';
import { errored, lost } from './build-end.ts';

/** What is told of a VM's start: the registers that its TPM signed and that were as expected, or that it has none. */
export type MeasuredBoot = 'off' | { verdict: 'as_expected'; pcrs: Record<string, string> };

/**
 * Has a VM that boots measured prove that it booted its image and nothing else. Throws a BuildEnd when it does not, so
 * that such a VM is never offered a key.
 */
export async function proveMeasuredBoot(
  { vm, connection }: LiveVm,
  signal: AbortSignal,
): Promise<MeasuredBoot> {
  if (!vm.attest) return 'off';
  const verdict = await vm.attest(connection, signal).catch((error) => {
    if (error instanceof TpmError) throw lost(`The VM could not prove what it booted: ${error.message}`);
    throw error;
  });
  if (!verdict.ok)
    throw errored(`The VM did not pass the measured boot check: ${verdict.violations.join('; ')}.`);
  return { verdict: 'as_expected', pcrs: verdict.pcrs };
}

/** For the log. */
export function inWords(measuredBoot: MeasuredBoot): string {
  return measuredBoot === 'off' ? 'measured boot is off' : 'its TPM signed that it booted its image';
}
