import type { ResponseLaunchTemplateData } from '@aws-sdk/client-ec2';
import { digestTag } from '../../image/publish/publish-image.ts';
import type { ImageFacts } from './ec2-api.ts';
import type { Ec2Context } from './ec2-context.ts';
import { launchInput } from './launch-instance.ts';
import type { Place } from './places.ts';

/** Everything in the account that would break a promise or a launch, one line each. */
export class PreflightError extends Error {
  override name = 'PreflightError';
  readonly code = 'preflight_failed';
  readonly problems: string[];

  constructor(problems: string[]) {
    super(`Amazon EC2 is not set up for Ebb:\n${problems.map((line) => `  - ${line}`).join('\n')}`);
    this.problems = problems;
  }
}

/** Looks at template, image, instance types and permissions before the first build. Throws PreflightError, Ec2Error. */
export async function preflight(
  context: Ec2Context,
  places: { instanceTypes: string[]; first: Place },
  signal: AbortSignal,
): Promise<void> {
  const { api, template } = context;
  const data = await api.template(template.id, template.version, signal);
  const image = data.ImageId ? await api.image(data.ImageId, signal) : undefined;
  const known = await api.instanceTypes(places.instanceTypes, signal);
  const unknown = places.instanceTypes.filter((type) => !known.some(({ name }) => name === type));
  const problems = [
    ...templateProblems(data),
    ...imageProblems(data.ImageId, image),
    ...unknown.map(
      (type) => `EBB_EC2_INSTANCE_TYPES: there is no instance type ${type} in this region. Remove it.`,
    ),
  ];
  if (problems.length > 0) throw new PreflightError(problems);
  const launch = {
    launch: { id: 'vm_preflight' },
    place: places.first,
    tries: 0,
    userData: Buffer.from('-'),
  };
  await api.mayRun(launchInput(context, launch), signal);
}

/** What in a launch template breaks a promise, each with the setting's name and the fix. Pure. */
export function templateProblems(data: ResponseLaunchTemplateData): string[] {
  const { MetadataOptions: metadata = {}, NetworkInterfaces: interfaces = [] } = data;
  const checks: [boolean, string][] = [
    [
      metadata.HttpTokens !== 'required',
      'MetadataOptions.HttpTokens must be "required": IMDSv1 would let any request that a build can be tricked into read the user data.',
    ],
    [(metadata.HttpPutResponseHopLimit ?? 1) > 1, 'MetadataOptions.HttpPutResponseHopLimit must be 1.'],
    [
      data.InstanceInitiatedShutdownBehavior !== 'terminate',
      'InstanceInitiatedShutdownBehavior must be "terminate": a VM that powers itself off would stay, and cost.',
    ],
    [
      interfaces.some(({ AssociatePublicIpAddress }) => AssociatePublicIpAddress === true),
      'NetworkInterfaces.AssociatePublicIpAddress must be false: VMs take SSH from the runner and nothing else.',
    ],
    [
      interfaces.length > 0,
      'NetworkInterfaces must be left out: Ebb chooses the subnet. Use SecurityGroupIds.',
    ],
    [
      (data.SecurityGroupIds ?? []).length === 0,
      'SecurityGroupIds is missing: the default group would let other machines in.',
    ],
    [
      data.IamInstanceProfile !== undefined,
      'IamInstanceProfile must be left out: a build must have no AWS credentials.',
    ],
    [
      data.KeyName !== undefined && data.KeyName !== '',
      'KeyName must be left out: each VM has keys of its own.',
    ],
    [
      data.UserData !== undefined && data.UserData !== '',
      'UserData must be left out: Ebb gives each VM its own.',
    ],
    [
      (data.BlockDeviceMappings ?? []).length > 1,
      'BlockDeviceMappings may name the root device alone: VMs keep everything in memory.',
    ],
  ];
  return checks.filter(([wrong]) => wrong).map(([, problem]) => `EBB_EC2_LAUNCH_TEMPLATE: ${problem}`);
}

/** What speaks against an image before it is booted; the ramdisk proof of each VM judges it again. Pure. */
export function imageProblems(id: string | undefined, image: ImageFacts | undefined): string[] {
  if (!id)
    return [
      'EBB_EC2_LAUNCH_TEMPLATE: ImageId is missing. Publish an image with `ebb image publish` and name it.',
    ];
  if (!image) return [`EBB_EC2_LAUNCH_TEMPLATE: there is no image ${id} in this region. Publish it there.`];
  const problems: string[] = [];
  if (!image.tags[digestTag])
    problems.push(
      `EBB_EC2_LAUNCH_TEMPLATE: the image ${id} has no tag ${digestTag}, so it is none that Ebb built. Use \`ebb image publish\`.`,
    );
  if (image.bootMode !== undefined && !image.bootMode.startsWith('uefi'))
    problems.push(`EBB_EC2_LAUNCH_TEMPLATE: the image ${id} boots by ${image.bootMode}; it must be uefi.`);
  return problems;
}
