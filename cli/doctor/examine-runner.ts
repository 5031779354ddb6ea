import { type RunnerConfiguration, readRunnerConfiguration } from '../../runner/configuration.ts';
import { defaultRuntimeDir } from '../memory-folder.ts';
import { apiReachFindings } from './api-reach-findings.ts';
import { readForFindings } from './configuration-findings.ts';
import { type SecretFile, secretFindings } from './file-findings.ts';
import { bySeverity, type Finding } from './finding.ts';
import { type Machine, machineFindings, swapsOf, thisMachine } from './machine-findings.ts';
import { redisFindings } from './redis-findings.ts';
import { qemuFindings } from './runner-findings.ts';

const secrets = ['EBB_RUNNER_KEY', 'EBB_REDIS_URL'];

/** The same as {@link examineApi} for `ebb runner`. */
export async function examineRunner(
  environment: NodeJS.ProcessEnv,
  { machine = thisMachine, now = () => new Date() }: { machine?: Machine; now?: () => Date } = {},
): Promise<Finding[]> {
  const read = () => readRunnerConfiguration(environment);
  const { configuration, findings } = readForFindings(read, 'ebb runner');
  const examined = await Promise.all([
    findings,
    secretFindings(environment, secrets, keyFiles(environment)),
    machineFindings(machine),
    configuration ? configuredFindings(configuration, machine, now) : [],
  ]);
  return bySeverity(examined.flat());
}

function keyFiles({ EBB_KEY_ENCRYPTION_KEY_FILE: current, EBB_OLDER_KEYS: older = '' }: NodeJS.ProcessEnv) {
  const files = older.split(',').filter((name) => name !== '' && !name.startsWith('arn:'));
  return [
    ...(current ? [{ variable: 'EBB_KEY_ENCRYPTION_KEY_FILE', path: current }] : []),
    ...files.map((path): SecretFile => ({ variable: 'EBB_OLDER_KEYS', path })),
  ];
}

async function configuredFindings(
  configuration: RunnerConfiguration,
  machine: Machine,
  now: () => Date,
): Promise<Finding[]> {
  const { EBB_REDIS_URL: url, EBB_REDIS_CA: ca, EBB_RUNTIME_DIR: runtime } = configuration;
  const runtimeDir = runtime ?? (await defaultRuntimeDir());
  const examined = await Promise.all([
    redisFindings({ url, ...(ca ? { ca } : {}) }),
    apiReachFindings(configuration.EBB_API_URL, now),
    configuration.EBB_VM_DRIVER === 'qemu'
      ? qemuFindings(configuration, { runtimeDir, swaps: await swapsOf(machine), now: now() })
      : [],
    configuration.EBB_OLDER_KEYS ? [olderKeysLeft] : [],
  ]);
  return examined.flat();
}

const olderKeysLeft: Finding = {
  ...{ code: 'older_keys_left', severity: 'low' },
  what: 'EBB_OLDER_KEYS names keys of before a rotation.',
  why: 'As long as runners have them, whoever has them opens what they wrapped.',
  fix: 'When ebb key-encryption says that they wrap nothing, take them away.',
};
