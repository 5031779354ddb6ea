import { Construct } from 'constructs';
import { LaunchTemplate } from './aws.ts';
import type { SecurityGroups } from './security-groups.ts';
import type { PlatformSettings } from './settings.ts';

/** From what runners launch build machines. Runners look at these settings at start and refuse others. */
export class Machines extends Construct {
  readonly template: LaunchTemplate;

  constructor(scope: Construct, id: string, settings: PlatformSettings, groups: SecurityGroups) {
    super(scope, id);
    this.template = new LaunchTemplate(this, 'template', {
      name: `${settings.name}-machine`,
      description: 'Build machines of Ebb: one build each, everything in memory',
      updateDefaultVersion: true,
      imageId: settings.machineImage,
      vpcSecurityGroupIds: [groups.machine.id],
      instanceInitiatedShutdownBehavior: 'terminate',
      // Version 2 only, and not from a container or a proxy behind another hop; closed before a build begins.
      metadataOptions: {
        httpEndpoint: 'enabled',
        httpTokens: 'required',
        httpPutResponseHopLimit: 1,
        instanceMetadataTags: 'disabled',
      },
      // The AMI's own disk is read at boot by the firmware alone. It goes with the machine.
      blockDeviceMappings: [
        {
          deviceName: '/dev/xvda',
          ebs: { volumeType: 'gp3', encrypted: 'true', deleteOnTermination: 'true' },
        },
      ],
    });
  }
}
