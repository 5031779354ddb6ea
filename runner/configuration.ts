import { hostname } from 'node:os';
import { type Static, Type } from 'typebox';
import { kmsKeyArn, kmsProblems, kmsVariables } from '../contract/custody/kms-variables.ts';
import { ConfigurationError, readEnvironment } from '../contract/environment.ts';
import { apiProblems, isLoopback, redisProblems } from '../contract/transport-security.ts';

const RunnerEnvironment = Type.Object({
  EBB_API_URL: Type.String({
    format: 'uri',
    pattern: '^https?://',
    description: 'Address of the API, such as https://ebb.example.com.',
  }),
  EBB_RUNNER_KEY: Type.String({
    pattern: '^ebb_',
    description: 'An API key with the scope runner; EBB_RUNNER_KEY_FILE may name a file that holds it.',
  }),
  EBB_REDIS_URL: Type.String({
    pattern: '^rediss?://',
    description: 'Address of Redis: rediss://…, or redis://… on this machine.',
  }),
  EBB_REDIS_CA: Type.Optional(Type.String({ description: 'Certificate authority of Redis, PEM.' })),
  EBB_KEY_ENCRYPTION_KEY_FILE: Type.Optional(
    Type.String({
      description: 'File of mode 0600 with the key that unwraps projects’ keys; made when it is not there.',
    }),
  ),
  ...kmsVariables,
  EBB_OLDER_KEYS: Type.Optional(
    Type.String({
      description:
        'Keys of before a rotation, which unwrap what they wrapped: files and ARNs of AWS KMS keys, separated by commas.',
    }),
  ),
  EBB_CACHE_DIR: Type.String({ default: '.ebb/cache', description: 'Folder for built images.' }),
  EBB_RUNTIME_DIR: Type.Optional(Type.String({ description: 'Folder for running VMs, on a tmpfs.' })),
  EBB_RUNNER_NAME: Type.String({ default: `${hostname()}-${process.pid}`, maxLength: 100 }),
  EBB_SLOTS: Type.Integer({
    minimum: 1,
    maximum: 64,
    default: 1,
    description: 'How many builds run at once.',
  }),
  EBB_POOL_MIN: Type.Integer({
    minimum: 0,
    maximum: 64,
    default: 1,
    description: 'How many fresh VMs wait for a build at least.',
  }),
  EBB_POOL_MAX: Type.Integer({
    minimum: 0,
    maximum: 64,
    default: 2,
    description: 'How many fresh VMs wait at most, when many builds are expected.',
  }),
  EBB_BOOTS_AT_ONCE: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 128,
      description:
        'How many VMs boot at once; with qemu as many as the machine has cores when not set, with ec2 any number.',
    }),
  ),
  EBB_POOL_MEMORY_MIB: Type.Integer({
    // Below it the image does not unpack.
    minimum: 640,
    default: 1024,
    description: 'Memory of the VMs that wait.',
  }),
  EBB_DRAIN_SECONDS: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 86_400,
      description:
        'How long a runner that is asked to stop finishes its builds before it hands the rest to other runners; without end when not set.',
    }),
  ),
  EBB_ALLOW_HOST_SWAP: Type.Boolean({
    default: false,
    description:
      'true to build on a machine that has swap, where memory of VMs may reach a disk; receipts then say so.',
  }),
  EBB_HEALTH_PORT: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 65_535,
      description: 'Port of 127.0.0.1 on which it answers while it takes builds, for who watches over it.',
    }),
  ),
  EBB_METRICS_LISTEN: Type.String({
    pattern: '^(\\[[0-9a-f:]+\\]|[^:\\[]+):[0-9]+$',
    default: '127.0.0.1:9465',
    description:
      'Where GET /metrics is answered, host:port; plain HTTP, so keep it off networks that others reach.',
  }),
  EBB_VM_DRIVER: Type.Enum(['qemu', 'ec2'], {
    default: 'qemu',
    description: 'Where VMs run: qemu on this machine, ec2 on Amazon EC2.',
  }),
  EBB_QEMU_MEASURED_BOOT: Type.Enum(['auto', 'on', 'off'], {
    default: 'auto',
    description:
      'Whether VMs of QEMU prove by a TPM what they booted before they are offered a key. It needs swtpm and ovmf, and a boot takes longer. auto: where these are there and KVM works.',
  }),
  EBB_QEMU_TEMPLATE: Type.Enum(['auto', 'on', 'off'], {
    default: 'auto',
    description:
      'Whether VMs of QEMU go on from the memory of one that booted up to where it would get its keys, which takes a quarter of a boot and some 350 MB of memory. auto: where the CPU is emulated. Never where VMs boot measured.',
  }),
  EBB_EC2_REGION: Type.Optional(
    Type.String({ pattern: '^[a-z]{2}(-[a-z]+)+-[0-9]$', description: 'AWS region, such as eu-central-1.' }),
  ),
  EBB_EC2_LAUNCH_TEMPLATE: Type.Optional(
    Type.String({
      pattern: '^lt-[0-9a-f]+(:([0-9]+|\\$Latest|\\$Default))?$',
      description: 'Launch template of VMs, lt-… or lt-…:version.',
    }),
  ),
  EBB_EC2_IMAGES: Type.Optional(
    Type.String({
      pattern: '^[a-z]+=ami-[0-9a-f]+(,[a-z]+=ami-[0-9a-f]+)*$',
      description:
        "AMIs of images other than base, which is the launch template's, separated by commas: node=ami-….",
    }),
  ),
  EBB_EC2_INSTANCE_TYPES: Type.Optional(
    Type.String({
      pattern: '^[a-z0-9-]+\\.[a-z0-9-]+(,[a-z0-9-]+\\.[a-z0-9-]+)*$',
      description: 'Instance types in the order of preference, separated by commas: c7i.large,m7i.large.',
    }),
  ),
  EBB_EC2_SUBNETS: Type.Optional(
    Type.String({
      pattern: '^subnet-[0-9a-f]+(,subnet-[0-9a-f]+)*$',
      description: 'Private subnets of VMs in the order of preference, separated by commas.',
    }),
  ),
  EBB_EC2_MARKET: Type.Enum(['on-demand', 'spot', 'spot-then-on-demand'], {
    default: 'on-demand',
    description: 'Which capacity VMs use; spot instances may be taken away in the middle of a build.',
  }),
  EBB_EC2_ENDPOINT: Type.Optional(
    Type.String({
      pattern: '^https?://',
      description: 'Address of an emulator of EC2; AWS itself when not set.',
    }),
  ),
});

export type RunnerConfiguration = Static<typeof RunnerEnvironment>;

/** Reads a runner's configuration. Throws ConfigurationError with every problem, the unsafe ones included. */
export function readRunnerConfiguration(environment: NodeJS.ProcessEnv): RunnerConfiguration {
  const configuration = readEnvironment(RunnerEnvironment, environment);
  const problems = [
    ...apiProblems('EBB_API_URL', configuration.EBB_API_URL),
    ...redisProblems(configuration.EBB_REDIS_URL),
    ...keyProblems(configuration),
    ...ec2Problems(configuration),
    ...poolProblems(configuration),
    ...measuredBootProblems(configuration),
    ...templateProblems(configuration),
  ];
  if (problems.length > 0) throw new ConfigurationError(problems);
  return configuration;
}

function keyProblems(configuration: RunnerConfiguration): string[] {
  const { EBB_KEY_ENCRYPTION_KEY_FILE: file, EBB_KMS_KEY: kms, EBB_OLDER_KEYS: older = '' } = configuration;
  const problem = file === undefined ? 'None of them is set' : 'Both are set';
  const form = new RegExp(`^(?!arn:)|^${kmsKeyArn}$`);
  return [
    ...((file === undefined) === (kms === undefined)
      ? [
          `EBB_KEY_ENCRYPTION_KEY_FILE and EBB_KMS_KEY are two places for the key-encryption key. ${problem}; set one, and name older ones in EBB_OLDER_KEYS.`,
        ]
      : []),
    ...(older.split(',').every((name) => form.test(name))
      ? []
      : ['EBB_OLDER_KEYS names an ARN that is none of a KMS key. Use arn:aws:kms:…:key/…, no alias.']),
    ...kmsProblems(configuration),
  ];
}

const neededOnEc2 = [
  'EBB_EC2_REGION',
  'EBB_EC2_LAUNCH_TEMPLATE',
  'EBB_EC2_INSTANCE_TYPES',
  'EBB_EC2_SUBNETS',
] as const;

function ec2Problems(configuration: RunnerConfiguration): string[] {
  if (configuration.EBB_VM_DRIVER !== 'ec2') return [];
  const missing = neededOnEc2.filter((name) => configuration[name] === undefined);
  const { EBB_EC2_ENDPOINT: endpoint } = configuration;
  const open = endpoint?.startsWith('http:') && !isLoopback(new URL(endpoint).hostname);
  return [
    ...missing.map((name) => `${name} is not set. EBB_VM_DRIVER=ec2 needs it. ${describe(name)}`),
    ...(open ? ['EBB_EC2_ENDPOINT is http, where others can listen in. Use https, or leave it out.'] : []),
  ];
}

function poolProblems({ EBB_POOL_MIN: min, EBB_POOL_MAX: max }: RunnerConfiguration): string[] {
  return min > max
    ? [`EBB_POOL_MIN is ${min}, more than EBB_POOL_MAX, which is ${max}. Lower it, or raise EBB_POOL_MAX.`]
    : [];
}

/** A protection that is asked for and not there must not go unnoticed. */
function measuredBootProblems(configuration: RunnerConfiguration): string[] {
  return configuration.EBB_QEMU_MEASURED_BOOT === 'on' && configuration.EBB_VM_DRIVER !== 'qemu'
    ? ['EBB_QEMU_MEASURED_BOOT is on, but VMs run on EC2, where Ebb checks no TPM yet. Set it to off.']
    : [];
}

/** Measured boot proves a boot, which a VM from a template does not have. */
function templateProblems(configuration: RunnerConfiguration): string[] {
  return configuration.EBB_QEMU_TEMPLATE === 'on' && configuration.EBB_QEMU_MEASURED_BOOT === 'on'
    ? [
        'EBB_QEMU_TEMPLATE and EBB_QEMU_MEASURED_BOOT are both on, but a VM either goes on from a template or proves its boot. Set one to off.',
      ]
    : [];
}

function describe(name: (typeof neededOnEc2)[number]): string {
  const { description } = RunnerEnvironment.properties[name] as { description?: string };
  return description ?? '';
}
