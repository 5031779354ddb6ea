import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { RunInstancesCommandInput } from '@aws-sdk/client-ec2';
import type { VmLaunch } from '../driver.ts';
import type { Ec2Context } from './ec2-context.ts';
import { Ec2Error, type Ec2ErrorKind, toEc2Error } from './ec2-error.ts';
import { type Instance, isEnding, tagNames } from './instance.ts';
import type { NoRoom, Place } from './places.ts';

const longestWaitMs = 30_000;

/**
 * Launches the one instance of a VM. Goes to the next place when one has no room, and waits when none has, telling why.
 * A call whose answer was lost is settled before anything else: it is repeated with the same token, which launches no
 * second instance, and the instance is looked for by its tag. Throws Ec2Error when trying again does not help, or the
 * reason of the launch's signal.
 *
 * @see https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
 */
export async function launchInstance(
  context: Ec2Context,
  launch: VmLaunch,
  userData: Buffer,
): Promise<Instance> {
  let tries = 0;
  let pauseMs = context.pollMs;
  for (;;) {
    const next = context.places.next(launch.memoryMib);
    if (!next) {
      throw new Ec2Error(
        'setting',
        `No instance type of EBB_EC2_INSTANCE_TYPES has ${launch.memoryMib} MiB of memory. Add one, or lower the project's memory_mib.`,
      );
    }
    if ('waitMs' in next) {
      launch.onWait?.(whyFull(next));
      await delay(next.waitMs, undefined, { signal: launch.signal });
      continue;
    }
    tries += 1;
    const input = launchInput(context, { launch, place: next.place, tries, userData });
    try {
      const instance = await settle(context, launch, input);
      context.places.worked(next.place);
      return instance;
    } catch (error) {
      launch.signal.throwIfAborted();
      const { kind, message } = toEc2Error('RunInstances', error);
      if (kind === 'capacity') {
        context.places.full(next.place);
        continue;
      }
      const reason = waitReasons[kind];
      if (!reason) throw error;
      launch.onWait?.(`${reason} (${message})`);
      await delay(pauseMs, undefined, { signal: launch.signal });
      pauseMs = Math.min(pauseMs * 2, longestWaitMs);
    }
  }
}

/** A subnet is in one zone; which, EC2 would have to be asked. */
function whyFull({ waitMs, full }: NoRoom): string {
  const among = (values: string[], noun: string) => {
    const different = [...new Set(values)];
    return `${different.length} ${noun}${different.length === 1 ? '' : 's'} (${different.join(', ')})`;
  };
  const types = among(
    full.map(({ instanceType }) => instanceType),
    'instance type',
  );
  const subnets = among(
    full.map(({ subnet }) => subnet),
    'subnet',
  );
  return `Amazon EC2 has no capacity for ${types} in the zones of ${subnets}; next try in ${Math.ceil(waitMs / 1000)} s.`;
}

const waitReasons: Partial<Record<Ec2ErrorKind, string>> = {
  quota: "The AWS account's limit of instances is reached; waiting for others to end.",
};

/**
 * Repeats one launch until EC2 has said yes or no to it. Being throttled is no answer either: an attempt before it may
 * have been carried out.
 */
async function settle(
  context: Ec2Context,
  launch: VmLaunch,
  input: RunInstancesCommandInput,
): Promise<Instance> {
  let pauseMs = context.pollMs;
  for (;;) {
    try {
      return await context.api.run(input, launch.signal);
    } catch (error) {
      launch.signal.throwIfAborted();
      const { kind } = toEc2Error('RunInstances', error);
      if (kind !== 'unanswered' && kind !== 'throttled') throw error;
      const found = await instanceOf(context, launch.id, launch.signal).catch(() => undefined);
      if (found) return found;
      launch.onWait?.(
        kind === 'throttled'
          ? 'Amazon EC2 takes no more calls for the moment; trying again.'
          : 'Amazon EC2 does not answer; trying again.',
      );
      await delay(pauseMs, undefined, { signal: launch.signal });
      pauseMs = Math.min(pauseMs * 2, longestWaitMs);
    }
  }
}

/** The live instance that carries this VM's id. */
export async function instanceOf(
  { api, deployment }: Ec2Context,
  vm: string,
  signal: AbortSignal,
): Promise<Instance | undefined> {
  const found = await api.find({ [tagNames.deployment]: deployment, [tagNames.vm]: vm }, signal);
  return found.find((instance) => !isEnding(instance));
}

/** Settings that the promises need are said again here: a template can be changed by somebody. */
export function launchInput(
  context: Omit<Ec2Context, 'api' | 'places' | 'reach'>,
  about: { launch: Pick<VmLaunch, 'id' | 'recipe'>; place: Place; tries: number; userData: Buffer },
): RunInstancesCommandInput {
  const { launch, place, tries, userData } = about;
  const tags = [
    { Key: 'Name', Value: `Ebb ${launch.id}` },
    { Key: tagNames.vm, Value: launch.id },
    { Key: tagNames.runner, Value: context.runner },
    { Key: tagNames.deployment, Value: context.deployment },
  ];
  return {
    MinCount: 1,
    MaxCount: 1,
    // Made before the call, so that whoever repeats it makes the same.
    ClientToken: createHash('sha256').update(`${launch.id} ${tries}`).digest('hex'),
    LaunchTemplate: { LaunchTemplateId: context.template.id, Version: context.template.version },
    ...imageOf(context, launch.recipe),
    InstanceType: place.instanceType as NonNullable<RunInstancesCommandInput['InstanceType']>,
    SubnetId: place.subnet,
    UserData: userData.toString('base64'),
    InstanceInitiatedShutdownBehavior: 'terminate',
    MetadataOptions: {
      HttpTokens: 'required',
      HttpEndpoint: 'enabled',
      HttpPutResponseHopLimit: 1,
      InstanceMetadataTags: 'disabled',
    },
    TagSpecifications: ['instance', 'volume', 'network-interface'].map((type) => ({
      ResourceType: type as 'instance',
      Tags: tags,
    })),
    ...(place.spot
      ? {
          InstanceMarketOptions: {
            MarketType: 'spot',
            SpotOptions: { SpotInstanceType: 'one-time', InstanceInterruptionBehavior: 'terminate' },
          },
        }
      : {}),
  };
}

/** Throws Ec2Error when this installation has no image of the recipe. */
function imageOf({ images = {} }: Pick<Ec2Context, 'images'>, recipe = 'base'): { ImageId?: string } {
  if (recipe === 'base') return {};
  const image = images[recipe];
  if (image) return { ImageId: image };
  throw new Ec2Error(
    'setting',
    `This installation has no image ${recipe} on Amazon EC2. Who operates it publishes one with \`ebb image publish ${recipe}\` and names it in EBB_EC2_IMAGES.`,
  );
}
