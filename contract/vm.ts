import { type Static, Type } from 'typebox';
import { Moment } from './moment.ts';

export const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256 in hexadecimal.' });

/** What a VM booted: the recipe of its image, and SHA-256 over the bytes of each part by the part's name. */
export const VmImage = Type.Object({ recipe: Type.String(), digests: Type.Record(Type.String(), Sha256) });
export type VmImage = Static<typeof VmImage>;

/** The saved memory of a machine without any identity, from which a VM went on instead of booting. */
export const VmTemplate = Type.Object({
  made_at: Moment,
  sha256: Type.String({
    pattern: '^[0-9a-f]{64}$',
    description: 'SHA-256 of it, the same for all that went on from it.',
  }),
});
export type VmTemplate = Static<typeof VmTemplate>;

/** How a VM ended. */
export const VmExit = Type.Object({
  code: Type.Union([Type.Integer(), Type.Null()]),
  signal: Type.Union([Type.String({ maxLength: 50 }), Type.Null()]),
});
export type VmExit = Static<typeof VmExit>;

/** What a runner tells of a VM besides what the VM shows of itself. */
export const VmReport = Type.Object(
  {
    driver: Type.String({ maxLength: 50, description: 'What ran it: `qemu` or `ec2`.' }),
    launched_at: Moment,
    image: VmImage,
    template: Type.Optional(VmTemplate),
    outside: Type.Unknown({ description: 'What was seen of the VM from outside, by its driver.' }),
    runner: Type.Object({
      name: Type.String({ maxLength: 100 }),
      version: Type.String({ maxLength: 50 }),
    }),
  },
  { additionalProperties: false },
);
export type VmReport = Static<typeof VmReport>;
