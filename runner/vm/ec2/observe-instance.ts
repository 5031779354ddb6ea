import { digestTag } from '../../image/publish/publish-image.ts';
import { VmError, type VmSighting } from '../driver.ts';
import type { Ec2Context } from './ec2-context.ts';

/**
 * What EC2 says of an instance, and the digest of the image that it was launched from. Throws Ec2Error, and VmError when
 * the instance or its image is gone or the image is none that Ebb published.
 */
export async function observeInstance(
  { api }: Pick<Ec2Context, 'api'>,
  { id, recipe }: { id: string; recipe: string },
  signal: AbortSignal,
): Promise<VmSighting> {
  const instance = await api.describe(id, signal);
  if (!instance) throw new VmError('boot_failed', `The instance ${id} is gone.`);
  const disk = (await api.image(instance.image, signal))?.tags[digestTag];
  if (!disk) throw new VmError('boot_failed', `The image ${instance.image} has no tag ${digestTag}.`);
  return {
    image: { recipe, digests: { disk } },
    outside: {
      ...{ kind: 'ec2', instance: id, state: instance.state, image: instance.image },
      root_device: instance.rootDevice,
      block_devices: instance.blockDevices,
      metadata_service: instance.metadataService,
      instance_profile: instance.instanceProfile,
    },
  };
}
