import { version } from '../../contract/version.ts';
import type { VmReport } from '../../contract/vm.ts';
import { judgeOutside } from '../vm/outside.ts';
import type { LiveVm } from '../vm/pool.ts';
import { judgeRamdiskProof, type RamdiskProof } from '../vm/ramdisk-proof.ts';
import { errored, lost } from './build-end.ts';
import type { RunnerContext } from './runner-context.ts';

/**
 * Has a VM show from inside that it has no disk, looks at it from outside, and gives what was seen when both pass.
 * Throws BuildEnd: no key, secret or source may reach a VM that does not pass.
 */
export async function proveRamdisk(
  { name, allowHostSwap = false }: Pick<RunnerContext, 'name' | 'allowHostSwap'>,
  { vm, connection }: LiveVm,
  signal: AbortSignal,
): Promise<{ proof: RamdiskProof; report: VmReport }> {
  const shown: Buffer[] = [];
  const { code } = await connection.exec('/usr/lib/ebb/ramdisk-proof', {
    onStdout: (chunk) => void shown.push(chunk),
    signal,
  });
  if (code !== 0) throw lost('The VM could not show that it has no disk.');
  const inside = judgeRamdiskProof(JSON.parse(Buffer.concat(shown).toString()));
  const { image, template, outside: seen } = await vm.observe(signal);
  const outside = judgeOutside(seen, { memoryKib: vm.memoryMib * 1024, hostSwapAllowed: allowHostSwap });
  if (inside.ok && outside.ok) {
    const launched_at = vm.launchedAt.toISOString();
    const report = {
      driver: vm.driver,
      launched_at,
      image,
      ...(template && { template }),
      outside: outside.seen,
      runner: { name, version },
    };
    return { proof: inside.proof, report };
  }
  const violations = [inside, outside].flatMap((verdict) => (verdict.ok ? [] : verdict.violations));
  throw errored(`The VM did not pass the ramdisk check: ${violations.join('; ')}.`);
}
