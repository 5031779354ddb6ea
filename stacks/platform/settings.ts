import { isIPv4 } from 'node:net';

/** What is told of an installation; all but the first four have defaults. */
export interface PlatformProps {
  /** Host name under which people reach the API, such as `ebb.example.com`. */
  readonly hostName: string;
  /** ACM certificate of that name, in the region. */
  readonly certificateArn: string;
  /** Image of the API and the runner in a registry, with tag or digest. */
  readonly containerImage: string;
  /** AMI of the build machines, as `ebb image publish` prints it. */
  readonly machineImage: string;
  /** AMIs of other images that projects may ask for, by recipe, such as `{ node: 'ami-…' }`. */
  readonly otherMachineImages?: Record<string, string>;
  /** ARNs of KMS keys that wrapped projects' keys before the platform's own; runners unwrap with them and wrap anew. */
  readonly olderCustodyKeys?: string[];
  /** Public keys that signed receipts before or will next, a JWKS; none while the receipt key was never rotated. */
  readonly retiredReceiptKeys?: string;
  /** Begins the name of each resource, and is the tag `ebb:deployment` of VMs; `ebb`. */
  readonly name?: string;
  /** `eu-central-1` */
  readonly region?: string;
  /** Two to eight; `a`, `b` and `c` of the region, which some regions do not have for every account. */
  readonly availabilityZones?: string[];
  /** Private range with a prefix of 16; `10.88.0.0/16`. */
  readonly cidrBlock?: string;
  /** Who may reach the API; everybody. */
  readonly allowedCidrBlocks?: string[];
  readonly machines?: {
    /** In the order of preference; `c7i.large`, `c6i.large`, `m7i.large`. */
    readonly instanceTypes?: string[];
    /** `on-demand` */
    readonly market?: 'on-demand' | 'spot' | 'spot-then-on-demand';
    /** TCP ports on which VMs may reach the world; 22, 80, 443, 9418. */
    readonly egressPorts?: number[];
  };
  readonly api?: { readonly tasks?: number; readonly cpu?: number; readonly memoryMib?: number };
  readonly runner?: {
    readonly tasks?: number;
    readonly cpu?: number;
    readonly memoryMib?: number;
    /** Builds that run at once on each runner; 8. */
    readonly slots?: number;
    /** Fresh VMs that wait on each runner at least; 1. */
    readonly poolMin?: number;
    /** Fresh VMs that wait on each runner at most, when many builds are expected; 4. */
    readonly poolMax?: number;
  };
  readonly database?: {
    readonly instanceClass?: string;
    readonly storageGib?: number;
    readonly multiAz?: boolean;
    readonly backupDays?: number;
    /** Whether it, the load balancer and the keys can be deleted only after saying so here first; true. */
    readonly protected?: boolean;
  };
  readonly redis?: { readonly nodeType?: string; readonly replicas?: number };
  /** 90 */
  readonly logRetentionDays?: number;
  /** SNS topic that alarms go to; without it they only show in CloudWatch. */
  readonly alarmTopicArn?: string;
}

/** Everything decided. */
export type PlatformSettings = ReturnType<typeof settle>;

/** Everything that is wrong with the properties of a platform. */
export class PlatformError extends Error {
  override name = 'PlatformError';
  readonly code = 'invalid_platform';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The platform cannot be declared:\n${problems.map((problem) => `- ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

// What CloudWatch takes: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
const retentions = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

/** Fills in defaults. Throws PlatformError, which names every property that is wrong. */
export function settle(props: PlatformProps) {
  const region = props.region ?? 'eu-central-1';
  const settings = {
    ...{ hostName: props.hostName, certificateArn: props.certificateArn },
    ...{ containerImage: props.containerImage, machineImage: props.machineImage },
    olderCustodyKeys: props.olderCustodyKeys ?? [],
    retiredReceiptKeys: props.retiredReceiptKeys ?? '',
    otherMachineImages: props.otherMachineImages ?? {},
    name: props.name ?? 'ebb',
    region,
    availabilityZones: props.availabilityZones ?? ['a', 'b', 'c'].map((letter) => `${region}${letter}`),
    cidrBlock: props.cidrBlock ?? '10.88.0.0/16',
    allowedCidrBlocks: props.allowedCidrBlocks ?? ['0.0.0.0/0'],
    machines: {
      instanceTypes: ['c7i.large', 'c6i.large', 'm7i.large'],
      market: 'on-demand' as const,
      egressPorts: [22, 80, 443, 9418],
      ...props.machines,
    },
    api: { tasks: 2, cpu: 512, memoryMib: 1024, ...props.api },
    runner: { tasks: 1, cpu: 1024, memoryMib: 2048, slots: 8, poolMin: 1, poolMax: 4, ...props.runner },
    database: {
      ...{ instanceClass: 'db.t4g.medium', storageGib: 50, multiAz: true, backupDays: 14, protected: true },
      ...props.database,
    },
    redis: { nodeType: 'cache.t4g.small', replicas: 1, ...props.redis },
    logRetentionDays: props.logRetentionDays ?? 90,
    alarmTopicArn: props.alarmTopicArn,
  };
  const problems = problemsOf(settings);
  if (problems.length > 0) throw new PlatformError(problems);
  return settings;
}

type Unchecked = Omit<ReturnType<typeof settle>, never>;

function problemsOf(settings: Unchecked): string[] {
  const { machines, api, runner, database, redis } = settings;
  const whole = (value: number, least: number, most: number) =>
    Number.isInteger(value) && value >= least && value <= most;
  const checks: [boolean, string][] = [
    [
      /^(?=.{4,253}$)[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(settings.hostName),
      'hostName must be a full host name, such as ebb.example.com.',
    ],
    [
      settings.certificateArn.startsWith(`arn:aws:acm:${settings.region}:`),
      `certificateArn must be the ARN of an ACM certificate of the region: arn:aws:acm:${settings.region}:….`,
    ],
    [
      /^[^\s:@]+(:\d+)?(\/[^\s:@]+)*(:[\w.-]+|@sha256:[0-9a-f]{64})$/.test(settings.containerImage),
      'containerImage must name an image with tag or digest, such as registry.example.com/ebb:0.1.0.',
    ],
    [
      /^ami-[0-9a-f]{8,17}$/.test(settings.machineImage),
      'machineImage must be an AMI, ami-…; `ebb image publish` prints it.',
    ],
    [
      Object.entries(settings.otherMachineImages).every(
        ([recipe, image]) => /^[a-z]+$/.test(recipe) && /^ami-[0-9a-f]{8,17}$/.test(image),
      ),
      "otherMachineImages must give AMIs by recipe, such as { node: 'ami-…' }.",
    ],
    [
      /^(?=.{2,20}$)(?!internal-)[a-z](-?[a-z0-9])+$/.test(settings.name),
      'name must be 2 to 20 lower-case letters, digits and single dashes, and not begin with internal-: AWS limits the names made of it.',
    ],
    [
      /^(?!cn-|us-gov-)[a-z]{2}(-[a-z]+)+-\d$/.test(settings.region),
      'region must be an AWS region, such as eu-central-1, outside of China and GovCloud.',
    ],
    [
      whole(settings.availabilityZones.length, 2, 8) &&
        new Set(settings.availabilityZones).size === settings.availabilityZones.length,
      'availabilityZones must name 2 to 8 different ones: load balancer and database need two.',
    ],
    [
      settings.availabilityZones.every((zone) => zone.startsWith(settings.region)),
      `availabilityZones must be of ${settings.region}.`,
    ],
    [
      isPrivateRange(settings.cidrBlock),
      'cidrBlock must be a private range with a prefix of 16, such as 10.88.0.0/16.',
    ],
    [
      settings.allowedCidrBlocks.length > 0 && settings.allowedCidrBlocks.every(isCidr),
      'allowedCidrBlocks must be IPv4 ranges, such as 192.0.2.0/24.',
    ],
    [
      machines.instanceTypes.length > 0 &&
        machines.instanceTypes.every((type) => /^[a-z0-9-]+\.[a-z0-9-]+$/.test(type)),
      'machines.instanceTypes must name instance types, such as c7i.large.',
    ],
    [
      machines.egressPorts.every((port) => whole(port, 1, 65_535)),
      'machines.egressPorts must be ports from 1 to 65535.',
    ],
    [whole(api.tasks, 1, 50) && whole(runner.tasks, 1, 50), 'api.tasks and runner.tasks must be 1 to 50.'],
    [whole(runner.slots, 1, 64), 'runner.slots must be 1 to 64.'],
    [
      whole(runner.poolMax, 0, 64) && whole(runner.poolMin, 0, runner.poolMax),
      'runner.poolMin and runner.poolMax must be 0 to 64, and poolMin not more than poolMax.',
    ],
    [
      isFargateSize(api) && isFargateSize(runner),
      'api and runner must have a cpu and memoryMib that Fargate knows, such as 512 and 1024.',
    ],
    [
      database.instanceClass.startsWith('db.'),
      'database.instanceClass must be a class of RDS, such as db.t4g.medium.',
    ],
    [whole(database.storageGib, 20, 16_384), 'database.storageGib must be 20 to 16384.'],
    [whole(database.backupDays, 1, 35), 'database.backupDays must be 1 to 35.'],
    [
      redis.nodeType.startsWith('cache.'),
      'redis.nodeType must be a type of ElastiCache, such as cache.t4g.small.',
    ],
    [whole(redis.replicas, 0, 5), 'redis.replicas must be 0 to 5.'],
    [
      retentions.includes(settings.logRetentionDays),
      `logRetentionDays must be one of ${retentions.join(', ')}.`,
    ],
    [
      settings.olderCustodyKeys.every((arn) =>
        /^arn:aws:kms:[a-z0-9-]+:\d{12}:key\/[A-Za-z0-9-]+$/.test(arn),
      ),
      'olderCustodyKeys must be ARNs of KMS keys, arn:aws:kms:…:key/…, no aliases.',
    ],
  ];
  return checks.filter(([right]) => !right).map(([, problem]) => problem);
}

function isCidr(text: string): boolean {
  const [address = '', prefix = ''] = text.split('/');
  return isIPv4(address) && /^\d{1,2}$/.test(prefix) && Number(prefix) <= 32;
}

function isPrivateRange(text: string): boolean {
  return isCidr(text) && /^(10\.\d+|172\.(1[6-9]|2\d|3[01])|192\.168)\.0\.0\/16$/.test(text);
}

/** @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html */
function isFargateSize({ cpu, memoryMib }: { cpu: number; memoryMib: number }): boolean {
  const ranges: Record<number, [number, number]> = {
    256: [512, 2048],
    512: [1024, 4096],
    1024: [2048, 8192],
    2048: [4096, 16_384],
    4096: [8192, 30_720],
  };
  const [least, most] = ranges[cpu] ?? [1, 0];
  return memoryMib >= least && memoryMib <= most && (memoryMib % 1024 === 0 || memoryMib === 512);
}
