import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConfigurationError } from '../contract/environment.ts';
import { readRunnerConfiguration } from './configuration.ts';

const needed = {
  EBB_API_URL: 'https://ebb.example.com',
  EBB_RUNNER_KEY: 'ebb_key',
  EBB_REDIS_URL: 'rediss://redis.example.com',
  EBB_KEY_ENCRYPTION_KEY_FILE: '/keys/kek.json',
};
const ec2 = {
  EBB_VM_DRIVER: 'ec2',
  EBB_EC2_REGION: 'eu-central-1',
  EBB_EC2_LAUNCH_TEMPLATE: 'lt-0123456789abcdef0:3',
  EBB_EC2_INSTANCE_TYPES: 'c7i.large,m7i-flex.large',
  EBB_EC2_SUBNETS: 'subnet-0a,subnet-0b',
};
const problemsOf = (environment: NodeJS.ProcessEnv): string[] => {
  try {
    readRunnerConfiguration({ ...needed, ...environment });
    return [];
  } catch (error) {
    return (error as ConfigurationError).problems;
  }
};

test('QEMU on this machine is the default and needs no setting of EC2', () => {
  assert.equal(readRunnerConfiguration(needed).EBB_VM_DRIVER, 'qemu');
});

test('the current key-encryption key lies in one place, older ones where they lay', () => {
  const arn = 'arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000';
  const [both] = problemsOf({ EBB_KMS_KEY: arn });
  assert.match(both ?? '', /Both are set; set one, and name older ones in EBB_OLDER_KEYS/);
  const [none] = problemsOf({ EBB_KEY_ENCRYPTION_KEY_FILE: '' });
  assert.match(none ?? '', /None of them is set/);
  const kms = { EBB_KEY_ENCRYPTION_KEY_FILE: '', EBB_KMS_KEY: arn };
  assert.deepEqual(problemsOf({ ...kms, EBB_OLDER_KEYS: `/keys/before.json,${arn}` }), []);
  const alias = 'arn:aws:kms:eu-central-1:123456789012:alias/ebb';
  assert.match(problemsOf({ ...kms, EBB_KMS_KEY: alias })[0] ?? '', /^EBB_KMS_KEY must/);
  assert.match(
    problemsOf({ ...kms, EBB_OLDER_KEYS: alias })[0] ?? '',
    /^EBB_OLDER_KEYS names an ARN.*no alias/,
  );
});

test('for EC2 every setting that is missing is named at once', () => {
  const problems = problemsOf({ EBB_VM_DRIVER: 'ec2' });
  assert.deepEqual(
    problems.map((problem) => problem.split(' ')[0]),
    ['EBB_EC2_REGION', 'EBB_EC2_LAUNCH_TEMPLATE', 'EBB_EC2_INSTANCE_TYPES', 'EBB_EC2_SUBNETS'],
  );
  assert.deepEqual(problemsOf(ec2), []);
});

test('VMs that wait may be none, and not more at least than at most', () => {
  assert.deepEqual(problemsOf({ EBB_POOL_MIN: '0', EBB_POOL_MAX: '0' }), []);
  assert.match(
    problemsOf({ EBB_POOL_MIN: '3' })[0] ?? '',
    /EBB_POOL_MIN is 3, more than EBB_POOL_MAX, which is 2/,
  );
});

test('measured boot is on where it can be unless it is turned off, and refused where it would not be checked', () => {
  assert.equal(readRunnerConfiguration(needed).EBB_QEMU_MEASURED_BOOT, 'auto');
  assert.deepEqual(problemsOf({ EBB_QEMU_MEASURED_BOOT: 'on' }), []);
  assert.match(problemsOf({ ...ec2, EBB_QEMU_MEASURED_BOOT: 'on' })[0] ?? '', /checks no TPM yet/);
  assert.match(problemsOf({ EBB_QEMU_MEASURED_BOOT: 'yes' })[0] ?? '', /^EBB_QEMU_MEASURED_BOOT must/);
});

test('templates are used where the CPU is emulated unless it is said otherwise, and not asked for beside measured boot', () => {
  assert.equal(readRunnerConfiguration(needed).EBB_QEMU_TEMPLATE, 'auto');
  for (const value of ['on', 'off']) assert.deepEqual(problemsOf({ EBB_QEMU_TEMPLATE: value }), []);
  assert.match(problemsOf({ EBB_QEMU_TEMPLATE: 'yes' })[0] ?? '', /^EBB_QEMU_TEMPLATE must/);
  const both = { EBB_QEMU_TEMPLATE: 'on', EBB_QEMU_MEASURED_BOOT: 'on' };
  assert.match(problemsOf(both)[0] ?? '', /are both on.*Set one to off/);
  assert.deepEqual(problemsOf({ ...both, EBB_QEMU_TEMPLATE: 'auto' }), []);
});

test('a setting of a wrong form is named with what it must be', () => {
  const wrong: [string, string][] = [
    ['EBB_EC2_REGION', 'Frankfurt'],
    ['EBB_EC2_LAUNCH_TEMPLATE', 'vm'],
    ['EBB_EC2_INSTANCE_TYPES', 'c7i.large, m7i.large'],
    ['EBB_EC2_SUBNETS', 'private-a'],
    ['EBB_EC2_MARKET', 'cheap'],
  ];
  for (const [name, value] of wrong) {
    const [problem = '', ...others] = problemsOf({ ...ec2, [name]: value });
    assert.ok(problem.startsWith(`${name} must`), problem);
    assert.equal(others.length, 0);
  }
});

test('what passes in the clear to other machines is refused', () => {
  const open = {
    EBB_API_URL: 'http://ebb.example.com',
    EBB_REDIS_URL: 'redis://redis.example.com',
    EBB_EC2_ENDPOINT: 'http://ec2.example.com',
    EBB_KMS_ENDPOINT: 'http://kms.example.com',
  };
  assert.equal(problemsOf({ ...ec2, ...open }).length, 4);
  assert.deepEqual(problemsOf({ ...ec2, EBB_EC2_ENDPOINT: 'http://127.0.0.1:5000' }), []);
});
