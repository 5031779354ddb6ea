import { join } from 'node:path';
import { after, before } from 'node:test';
import { buildImage } from '../../image/build-image.ts';
import { buildDiskImage } from '../../image/disk/disk-image.ts';
import { base } from '../../image/recipes.ts';
import { describeVmDriver } from '../driver-conformance.ts';
import { type Ec2Lab, openEc2Lab } from './ec2-lab-for-tests.ts';

const cacheDir = join(import.meta.dirname, '../../../.ebb/cache/images');
let lab: Ec2Lab;

before(async () => {
  const signal = AbortSignal.timeout(600_000);
  const image = await buildImage({ recipe: base, cacheDir, signal });
  lab = await openEc2Lab(await buildDiskImage({ image, cacheDir, signal }));
});
after(() => lab?.close());

// The emulator takes the calls; what it would run boots under QEMU from the very disk that is published.
describeVmDriver('EC2', {
  open: async () => lab.driver,
  // It changes its host key before it is handed out, which takes its time on an emulated CPU.
  forgottenAfterSeconds: 25,
  remains: (id) => lab.remains(id),
});
