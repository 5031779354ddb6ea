import { createHash } from 'node:crypto';
import { zstdDecompressSync } from 'node:zlib';
import { Type } from 'typebox';
import Value from 'typebox/value';
import type { RamdiskPredicate } from '../../contract/ramdisk-predicate.ts';
import type { RamdiskStatement } from '../../contract/receipt-statement.ts';
import { Sha256, type VmImage } from '../../contract/vm.ts';
import { readSections } from '../../runner/image/disk/unified-kernel-image.ts';
import { judgedPcrs, measurementsOf, pcrValues } from '../../runner/image/measured/measurements.ts';
import { type Check, decide, FailedCheck, type Note, runChecks } from './check.ts';

type Vm = NonNullable<RamdiskPredicate['vm']>;

const Measured = Type.Object({
  verdict: Type.Literal('as_expected'),
  pcrs: Type.Object(Object.fromEntries(judgedPcrs.map((pcr) => [`${pcr}`, Sha256])), {
    additionalProperties: false,
  }),
});
type Registers = Record<(typeof judgedPcrs)[number], string>;

// A register that nothing was measured into.
const untouched = '0'.repeat(64);

/**
 * Says whether a VM proved what it booted. Registers of another form, or into which nothing or something foreign was
 * measured, do not hold; whether they are those of an image is for `checkImage`. Throws FailedCheck.
 */
export function checkMeasuredBoot(vm: Vm, note: Note): void {
  const registers = registersOf(vm);
  if (!registers) {
    note('measured-boot', 'off: that the VM booted this image is the word of its runner alone');
    return;
  }
  const { 12: beside, ...filled } = registers;
  const problem =
    beside !== untouched
      ? 'Something was handed to the VM beside its image: register 12 is not empty.'
      : Object.values(filled).includes(untouched)
        ? 'A register is empty: nothing was measured into it.'
        : undefined;
  const found = `its runner took registers ${judgedPcrs.join(', ')}, signed by the VM’s TPM, as those of the image; with --image they are compared here`;
  decide(note, 'measured-boot', problem, found);
}

/** Compares what VMs booted with an image: `program` is its unified kernel image, as it is started for a measured boot. */
export function checkImage(ramdisks: RamdiskStatement[], program: Buffer): Check[] {
  return runChecks((note) => {
    const vms = ramdisks.flatMap(({ predicate }) => predicate.vm ?? []);
    if (vms.length === 0)
      throw new FailedCheck(
        'image',
        'No receipt of this file speaks of a VM, so that there is nothing to compare.',
      );
    const image = readProgram(program);
    for (const vm of vms) checkAgainst(image, vm, note);
  }).checks;
}

function checkAgainst(image: ReturnType<typeof readProgram>, vm: Vm, note: Note): void {
  const registers = registersOf(vm);
  if (!registers)
    throw new FailedCheck(
      'image',
      `The VM ${vm.id} booted without measuring: there are no registers to compare.`,
    );
  const differing = judgedPcrs.filter((pcr) => registers[pcr] !== image.registers.get(pcr)?.toString('hex'));
  const parts = vm.report?.image.digests ?? {};
  const foreign = Object.entries(image.digests).filter(([part, sha256]) => parts[part] !== sha256);
  const problem =
    differing.length > 0
      ? `The VM ${vm.id} did not boot the image: of its registers ${differing.join(', ')} differ.`
      : foreign.length > 0
        ? `The receipt names another ${foreign.map(([part]) => part).join(' and ')} than the image has.`
        : undefined;
  decide(
    note,
    'image',
    problem,
    `${vm.id} booted it: registers ${judgedPcrs.join(', ')} are what its bytes measure`,
  );
}

/** Registers as they were signed; undefined where the boot was not measured. Throws FailedCheck. */
function registersOf({ inside }: Vm): Registers | undefined {
  const { measured_boot: told } = (inside ?? {}) as { measured_boot?: unknown };
  if (told === undefined || told === 'off') return undefined;
  if (!Value.Check(Measured, told))
    throw new FailedCheck('measured-boot', `It is neither off nor the registers ${judgedPcrs.join(', ')}.`);
  return told.pcrs as Registers;
}

function readProgram(program: Buffer): { registers: Map<number, Buffer>; digests: VmImage['digests'] } {
  try {
    const sections = new Map(readSections(program).map(({ name, data }) => [name, data]));
    const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex');
    const part = (name: string) => sections.get(name) ?? Buffer.alloc(0);
    return {
      registers: pcrValues(measurementsOf(program, 'hypervisor'), judgedPcrs),
      digests: { kernel: sha256(part('.linux')), initramfs: sha256(zstdDecompressSync(part('.initrd'))) },
    };
  } catch {
    throw new FailedCheck('image', 'What was given as image is no unified kernel image of Ebb.');
  }
}
