import { Ajv } from 'ajv';
import { type Static, Type } from 'typebox';
import { VmImage } from '../../contract/vm.ts';
import type { Vm } from './driver.ts';

const Described = Type.Object({
  id: Type.String({ pattern: '^vm_[0-9a-z]+$' }),
  driver: Type.String(),
  host: Type.String(),
  port: Type.Integer(),
  hostKey: Type.String({ description: 'Raw blob, base64.' }),
  hostAddress: Type.String(),
  memoryMib: Type.Integer(),
  cpus: Type.Integer(),
  launchedAt: Type.String({ format: 'date-time' }),
  image: VmImage,
});

/** All that a runner needs to take a VM over from another one. Sealed wherever it is kept: it opens the VM. */
export interface VmHandle extends Omit<Static<typeof Described>, 'hostKey' | 'launchedAt'> {
  hostKey: Buffer;
  /** Whoever has it wipes it. */
  clientKey: Buffer;
  launchedAt: Date;
}

const validate = new Ajv({ strict: false, formats: { 'date-time': true } }).compile<Static<typeof Described>>(
  Described,
);

/** As bytes to be sealed, which the caller wipes: JSON, NUL, and the client key, no part of which becomes a string. */
export function encodeVmHandle(vm: Vm, image: VmImage): Buffer {
  const { id, driver, host, port, hostAddress, memoryMib, cpus } = vm;
  const described: Static<typeof Described> = {
    ...{ id, driver, host, port, hostAddress, memoryMib, cpus, image },
    hostKey: vm.hostKey.toString('base64'),
    launchedAt: vm.launchedAt.toISOString(),
  };
  return Buffer.concat([Buffer.from(`${JSON.stringify(described)}\0`), vm.clientKey]);
}

/** Reads what `encodeVmHandle` wrote, keeping no part of the bytes. Throws when it did not write them. */
export function decodeVmHandle(bytes: Buffer): VmHandle {
  const end = bytes.indexOf(0);
  const described: unknown = JSON.parse(bytes.subarray(0, Math.max(0, end)).toString());
  if (!validate(described)) throw new Error('The handle of the VM is none that this release knows.');
  return {
    ...described,
    hostKey: Buffer.from(described.hostKey, 'base64'),
    clientKey: Buffer.from(bytes.subarray(end + 1)),
    launchedAt: new Date(described.launchedAt),
  };
}
