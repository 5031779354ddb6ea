import {
  CreateTagsCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeInstanceTypesCommand,
  DescribeLaunchTemplateVersionsCommand,
  EC2Client,
  GetConsoleOutputCommand,
  ModifyInstanceMetadataOptionsCommand,
  paginateDescribeInstances,
  type ResponseLaunchTemplateData,
  RunInstancesCommand,
  type RunInstancesCommandInput,
  type Instance as SdkInstance,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { StandardRetryStrategy } from '@smithy/util-retry';
import { toEc2Error } from './ec2-error.ts';
import { type Instance, metadataClosed, toInstance } from './instance.ts';
import type { InstanceType } from './places.ts';

/** EC2 as the driver needs it; every method throws Ec2Error. The only place that meets the SDK. */
export interface Ec2Api {
  /** Launches one instance; a repetition with the same `clientToken` launches no other. */
  run(launch: RunInstancesCommandInput, signal: AbortSignal): Promise<Instance>;
  /** Whether `run` would be allowed: resolves or throws. */
  mayRun(launch: RunInstancesCommandInput, signal: AbortSignal): Promise<void>;
  /** Instances with all these tags that are not terminated. */
  find(tags: Record<string, string>, signal: AbortSignal): Promise<Instance[]>;
  /** Undefined when there is no such instance (any more). */
  describe(id: string, signal: AbortSignal): Promise<Instance | undefined>;
  /** Ends instances; those that are gone already count as ended. */
  terminate(ids: string[], signal: AbortSignal): Promise<void>;
  closeMetadata(id: string, signal: AbortSignal): Promise<void>;
  /** Sets these tags of an instance and leaves the others. */
  tag(id: string, tags: Record<string, string>, signal: AbortSignal): Promise<void>;
  consoleOutput(id: string, signal: AbortSignal): Promise<string>;
  template(id: string, version: string, signal: AbortSignal): Promise<ResponseLaunchTemplateData>;
  image(id: string, signal: AbortSignal): Promise<ImageFacts | undefined>;
  /** The instance types of this region that have these names. */
  instanceTypes(names: string[], signal: AbortSignal): Promise<InstanceType[]>;
  close(): void;
}

export interface ImageFacts {
  bootMode: string | undefined;
  tags: Record<string, string>;
}

const defaultRequestTimeoutMs = 15_000;
const defaultAttempts = 4;

/** Names of EC2's parameters in its error messages, to the variables that set them. */
const settings = {
  InvalidLaunchTemplate: 'EBB_EC2_LAUNCH_TEMPLATE',
  'launch template': 'EBB_EC2_LAUNCH_TEMPLATE',
  InvalidSubnet: 'EBB_EC2_SUBNETS',
  subnet: 'EBB_EC2_SUBNETS',
  InvalidInstanceType: 'EBB_EC2_INSTANCE_TYPES',
  'instance type': 'EBB_EC2_INSTANCE_TYPES',
  InvalidAMI: 'the image of the launch template (EBB_EC2_LAUNCH_TEMPLATE)',
};

type RefreshArguments = Parameters<StandardRetryStrategy['refreshRetryTokenForRetry']>;

/** No room is an answer: asking again at once only costs time. */
class RetryUnlessFull extends StandardRetryStrategy {
  override async refreshRetryTokenForRetry(...[token, info]: RefreshArguments) {
    const { error } = info as { error?: Error };
    if (error && toEc2Error('', error).kind === 'capacity') throw error;
    return await super.refreshRetryTokenForRetry(token, info);
  }
}

/**
 * @param options.endpoint only for emulators; AWS's own of the region when absent
 * @param options.requestTimeoutMs how long one attempt of a call may take; 15 s when absent
 * @param options.attempts how often a call is tried; 4 when absent
 */
export function createEc2Api(options: {
  region: string;
  endpoint?: string;
  requestTimeoutMs?: number;
  attempts?: number;
}): Ec2Api {
  const client = new EC2Client({
    region: options.region,
    ...(options.endpoint ? { endpoint: options.endpoint } : {}),
    retryStrategy: new RetryUnlessFull(options.attempts ?? defaultAttempts),
    requestHandler: new NodeHttpHandler({
      connectionTimeout: 5_000,
      requestTimeout: options.requestTimeoutMs ?? defaultRequestTimeoutMs,
      throwOnRequestTimeout: true,
    }),
  });
  const call = async <T>(name: string, work: () => Promise<T>, signal: AbortSignal): Promise<T> => {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw toEc2Error(name, error, settings);
    }
  };
  const described = (instances: (SdkInstance | undefined)[] | undefined) =>
    (instances ?? []).flatMap((instance) => (instance?.InstanceId ? [toInstance(instance)] : []));

  return {
    run: (launch, signal) =>
      call(
        'RunInstances',
        async () => {
          const { Instances } = await client.send(new RunInstancesCommand(launch), { abortSignal: signal });
          const [instance] = described(Instances);
          if (!instance) throw new Error('The answer holds no instance.');
          return instance;
        },
        signal,
      ),
    mayRun: (launch, signal) =>
      call(
        'RunInstances (dry run)',
        async () => {
          const dry = client.send(new RunInstancesCommand({ ...launch, DryRun: true }), {
            abortSignal: signal,
          });
          await dry.catch((error: Error) => {
            if (error.name !== 'DryRunOperation') throw error;
          });
        },
        signal,
      ),
    find: (tags, signal) =>
      call(
        'DescribeInstances',
        async () => {
          const filters = Object.entries(tags).map(([name, value]) => ({
            Name: `tag:${name}`,
            Values: [value],
          }));
          const states = ['pending', 'running', 'stopping', 'stopped', 'shutting-down'];
          const pages = paginateDescribeInstances(
            { client },
            { Filters: [...filters, { Name: 'instance-state-name', Values: states }], MaxResults: 500 },
            { abortSignal: signal },
          );
          const found: Instance[] = [];
          for await (const { Reservations } of pages)
            found.push(...described(Reservations?.flatMap(({ Instances }) => Instances ?? [])));
          return found;
        },
        signal,
      ),
    describe: (id, signal) =>
      unlessGone(
        call(
          'DescribeInstances',
          async () => {
            const answer = await client.send(new DescribeInstancesCommand({ InstanceIds: [id] }), {
              abortSignal: signal,
            });
            return described(answer.Reservations?.flatMap(({ Instances }) => Instances ?? []))[0];
          },
          signal,
        ),
        undefined,
      ),
    terminate: async (ids, signal) => {
      // One by one: an id that is gone makes EC2 refuse the whole list.
      for (const id of ids) {
        const ended = call(
          'TerminateInstances',
          () => client.send(new TerminateInstancesCommand({ InstanceIds: [id] }), { abortSignal: signal }),
          signal,
        );
        await unlessGone(ended, undefined);
      }
    },
    closeMetadata: (id, signal) =>
      call(
        'ModifyInstanceMetadataOptions',
        async () => {
          const { InstanceMetadataOptions: now } = await client.send(
            new ModifyInstanceMetadataOptionsCommand({ InstanceId: id, HttpEndpoint: 'disabled' }),
            { abortSignal: signal },
          );
          if (!metadataClosed(now)) throw new Error('The metadata service stayed open.');
        },
        signal,
      ),
    tag: (id, tags, signal) =>
      call(
        'CreateTags',
        async () => {
          const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
          await client.send(new CreateTagsCommand({ Resources: [id], Tags }), { abortSignal: signal });
        },
        signal,
      ),
    consoleOutput: (id, signal) =>
      call(
        'GetConsoleOutput',
        async () => {
          const command = new GetConsoleOutputCommand({ InstanceId: id, Latest: true });
          const { Output = '' } = await client.send(command, { abortSignal: signal });
          return Buffer.from(Output, 'base64').toString('latin1');
        },
        signal,
      ),
    template: (id, version, signal) =>
      call(
        'DescribeLaunchTemplateVersions',
        async () => {
          const command = new DescribeLaunchTemplateVersionsCommand({
            LaunchTemplateId: id,
            Versions: [version],
          });
          const { LaunchTemplateVersions } = await client.send(command, { abortSignal: signal });
          return LaunchTemplateVersions?.[0]?.LaunchTemplateData ?? {};
        },
        signal,
      ),
    image: (id, signal) =>
      call(
        'DescribeImages',
        async () => {
          const { Images } = await client.send(
            new DescribeImagesCommand({ Filters: [{ Name: 'image-id', Values: [id] }] }),
            {
              abortSignal: signal,
            },
          );
          const image = Images?.[0];
          if (!image) return undefined;
          const tags = Object.fromEntries((image.Tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value]));
          return { bootMode: image.BootMode, tags };
        },
        signal,
      ),
    instanceTypes: (names, signal) =>
      call(
        'DescribeInstanceTypes',
        async () => {
          // By a filter, because a list of ids is refused as a whole for one that is unknown.
          const command = new DescribeInstanceTypesCommand({
            Filters: [{ Name: 'instance-type', Values: names }],
          });
          const { InstanceTypes } = await client.send(command, { abortSignal: signal });
          const memoryOf = new Map(
            InstanceTypes?.map(({ InstanceType, MemoryInfo }) => [
              String(InstanceType),
              MemoryInfo?.SizeInMiB ?? 0,
            ]),
          );
          return names.flatMap((name) => {
            const memoryMib = memoryOf.get(name);
            return memoryMib === undefined ? [] : [{ name, memoryMib }];
          });
        },
        signal,
      ),
    close: () => client.destroy(),
  };
}

async function unlessGone<T>(call: Promise<T>, fallback: T | undefined): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (toEc2Error('', error).kind === 'gone') return fallback;
    throw error;
  }
}
