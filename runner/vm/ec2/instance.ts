import type { InstanceMetadataOptionsResponse, Instance as SdkInstance } from '@aws-sdk/client-ec2';

/** Tags by which instances are found again. */
export const tagNames = {
  vm: 'ebb:vm',
  runner: 'ebb:runner',
  deployment: 'ebb:deployment',
  /** There when another runner may take its VM over. */
  shared: 'ebb:shared',
} as const;

/** What the driver knows of an instance. */
export interface Instance {
  id: string;
  state: string;
  /** Why it ended, as EC2 says it. */
  stateReason: string;
  privateAddress: string | undefined;
  launchedAt: Date;
  tags: Record<string, string>;
  image: string;
  rootDevice: string | null;
  blockDevices: string[];
  /** `enabled` or `disabled`. */
  metadataService: string;
  instanceProfile: string | null;
}

export function toInstance(instance: SdkInstance): Instance {
  return {
    id: instance.InstanceId ?? '',
    state: instance.State?.Name ?? 'pending',
    stateReason: instance.StateReason?.Message ?? instance.StateTransitionReason ?? '',
    privateAddress: instance.PrivateIpAddress,
    launchedAt: instance.LaunchTime ?? new Date(0),
    tags: Object.fromEntries((instance.Tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value])),
    image: instance.ImageId ?? '',
    rootDevice: instance.RootDeviceName ?? null,
    blockDevices: (instance.BlockDeviceMappings ?? []).map(({ DeviceName = '' }) => DeviceName),
    metadataService: instance.MetadataOptions?.HttpEndpoint ?? 'enabled',
    instanceProfile: instance.IamInstanceProfile?.Arn ?? null,
  };
}

export function isEnding({ state }: Instance): boolean {
  return ['shutting-down', 'terminated', 'stopping', 'stopped'].includes(state);
}

export function metadataClosed(options: InstanceMetadataOptionsResponse | undefined): boolean {
  return options?.HttpEndpoint === 'disabled';
}
