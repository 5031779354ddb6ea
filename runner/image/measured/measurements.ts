import { createHash } from 'node:crypto';
import { readSections } from '../disk/unified-kernel-image.ts';
import { authenticodeDigest, type PcrHash } from './authenticode.ts';

/** One thing that goes into a register of the TPM while a machine starts. */
export interface Measurement {
  pcr: number;
  digest: Buffer;
  /** What it is, for people. */
  what: string;
}

/**
 * Who starts the program: firmware that chose it from its boot options (a disk, as on Amazon EC2) and says so first, or
 * firmware that was handed it (QEMU's -kernel) and takes it in before it says that it goes on.
 */
export type StartedBy = 'boot-option' | 'hypervisor';

/** Registers that depend on the program alone, whatever the firmware's version and settings are. */
export const judgedPcrs = [4, 9, 11, 12] as const;

// In the order in which systemd's stub takes them in, wherever they stand in the file.
const measuredSections = ['.linux', '.osrel', '.cmdline', '.initrd', '.splash', '.dtb', '.pcrpkey'];

/**
 * What a start of this unified kernel image measures into `judgedPcrs`, in the order of each register, computed from
 * its bytes: 4, every program that was started; 9, what the kernel was given; 11, the parts of the image; 12, what was
 * handed in beside it: nothing. For systemd's stub 252 and Linux 6.1.
 *
 * @see https://trustedcomputinggroup.org/resource/pc-client-specific-platform-firmware-profile-specification/ 3.3.4.5
 * @see https://www.freedesktop.org/software/systemd/man/252/systemd-stub.html
 */
export function measurementsOf(
  program: Buffer,
  startedBy: StartedBy,
  pcrHash: PcrHash = 'sha256',
): Measurement[] {
  const hash = (data: Buffer | string) => createHash(pcrHash).update(data).digest();
  const sections = new Map(readSections(program).map(({ name, data }) => [name, data]));
  const part = (name: string) => sections.get(name) ?? Buffer.alloc(0);
  const started = { pcr: 4, digest: authenticodeDigest(program, pcrHash), what: 'the unified kernel image' };
  const goingOn = [
    { pcr: 4, digest: hash('Calling EFI Application from Boot Option'), what: 'the start of a program' },
    { pcr: 4, digest: hash(Buffer.alloc(4)), what: 'the end of the firmware’s own work' },
  ];
  return [
    ...(startedBy === 'hypervisor' ? [started, ...goingOn] : [...goingOn, started]),
    { pcr: 4, digest: authenticodeDigest(part('.linux'), pcrHash), what: 'the kernel' },
    { pcr: 9, digest: hash(loadOptions(part('.cmdline'))), what: 'the command line that the kernel got' },
    { pcr: 9, digest: hash(part('.initrd')), what: 'the initramfs that the kernel got' },
    ...measuredSections
      .filter((name) => sections.has(name))
      .flatMap((name) => [
        { pcr: 11, digest: hash(`${name}\0`), what: `the name of the section ${name}` },
        { pcr: 11, digest: hash(part(name)), what: `the section ${name}` },
      ]),
  ];
}

/** What a register holds after these digests, in this order, beginning with zeros. */
function extend(digests: readonly Buffer[], pcrHash: PcrHash = 'sha256'): Buffer {
  return digests.reduce(
    (value, digest) => createHash(pcrHash).update(value).update(digest).digest(),
    Buffer.alloc(pcrHash === 'sha256' ? 32 : 48),
  );
}

/** The values of registers after these measurements. */
export function pcrValues(
  measurements: readonly Pick<Measurement, 'pcr' | 'digest'>[],
  pcrs: readonly number[],
  pcrHash: PcrHash = 'sha256',
): Map<number, Buffer> {
  const of = (pcr: number) => measurements.filter((one) => one.pcr === pcr).map(({ digest }) => digest);
  return new Map(pcrs.map((pcr) => [pcr, extend(of(pcr), pcrHash)]));
}

/** How UEFI hands a command line over: UTF-16 with an end. */
function loadOptions(commandLine: Buffer): Buffer {
  return Buffer.from(`${commandLine.toString('latin1')}\0`, 'utf16le');
}

/**
 * Registers of the program as AWS states and checks them: what conditions of a KMS key, NitroTPMPCR4 and NitroTPMPCR12,
 * compare when a machine of this AMI shows its attestation document.
 *
 * @see https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/nitrotpm-attestation-document-content.html
 */
export function nitroTpmMeasurements(program: Buffer): Record<'HashAlgorithm' | 'PCR4' | 'PCR12', string> {
  const values = pcrValues(measurementsOf(program, 'boot-option', 'sha384'), [4, 12], 'sha384');
  const hex = (pcr: number) => values.get(pcr)?.toString('hex') ?? '';
  return { HashAlgorithm: 'SHA384', PCR4: hex(4), PCR12: hex(12) };
}
