import { type Static, Type } from 'typebox';
import { AuditWitness } from './audit.ts';
import { VmExit, VmReport } from './vm.ts';

export const ramdiskPredicateType = 'https://ebb.dev/receipts/ramdisk/v1';

const Time = Type.String({ format: 'date-time' });
const MaybeTime = Type.Union([Time, Type.Null()]);
const Named = Type.Object({ id: Type.String(), name: Type.String() });

/** The life of a VM; its times are from the clock of its runner. */
const VmLife = Type.Object({
  id: Type.String(),
  report: Type.Union([VmReport, Type.Null()], {
    description: 'What its runner told: driver, image, launch, and what was seen from outside.',
  }),
  inside: Type.Unknown({ description: 'What the VM showed of its disks, from inside, before the checkout.' }),
  ready_at: MaybeTime,
  destroyed_at: MaybeTime,
  exit: Type.Union([VmExit, Type.Null()]),
  used_for: Type.Array(Type.Object({ build: Type.String(), attempt: Type.Integer() }), {
    description: 'Every build and attempt that ever had a VM of this id, as the control plane knows them.',
  }),
});

/** What is signed of the VM of a build's last attempt; `vm` is null when none came up. */
export const RamdiskPredicate = Type.Object({
  project: Named,
  team: Named,
  build: Type.Object({ id: Type.String(), number: Type.Integer(), attempt: Type.Integer() }),
  vm: Type.Union([VmLife, Type.Null()]),
  signed_at: Time,
  audit_head: AuditWitness,
});
export type RamdiskPredicate = Static<typeof RamdiskPredicate>;
