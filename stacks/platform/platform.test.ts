import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { readApiConfiguration } from '../../api/configuration.ts';
import { loadOrCreateApiKeyTexts } from '../../api/signing/key-files.ts';
import { readRunnerConfiguration } from '../../runner/configuration.ts';
import { createCertificate } from '../../test/certificates.ts';
import { sampleProps } from '../../test/platform-for-tests.ts';
import { App, TerraformStack, Testing } from '../cdktf.ts';
import { Platform, PlatformError, type PlatformProps } from './index.ts';

type Attributes = Record<string, unknown>;
interface Statement {
  Sid: string;
  Principal?: { AWS?: string | string[] };
  Action: string | string[];
  Resource: string | string[];
  Condition?: Record<string, Record<string, string | string[]>>;
}

const folder = mkdtempSync(join(tmpdir(), 'ebb-platform-'));
after(() => rmSync(folder, { recursive: true }));
const retired = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
const custodyKey = 'arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000';
const olderKey = 'arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000001';
const whole: PlatformProps = {
  ...sampleProps,
  otherMachineImages: { node: 'ami-0fedcba9876543210' },
  olderCustodyKeys: [olderKey],
  retiredReceiptKeys: JSON.stringify({ keys: [retired] }),
};

function synthesize(props: PlatformProps): Record<string, Record<string, Attributes>> {
  const stack = new TerraformStack(new App({ outdir: folder }), 'test');
  new Platform(stack, 'platform', props);
  return JSON.parse(Testing.synth(stack)).resource;
}

const resources = synthesize(whole);
/** The one resource of a type whose name holds a text. */
function only(type: string, part = ''): Attributes {
  const found = Object.entries(resources[type] ?? {}).filter(([name]) => name.includes(part));
  assert.equal(found.length, 1, `${type} ${part}: ${found.map(([name]) => name).join(', ')}`);
  return found[0]?.[1] ?? {};
}
const statements = (text: unknown): Statement[] => JSON.parse(String(text)).Statement;
const list = (value: string | string[]) => (Array.isArray(value) ? value : [value]);

describe('build machines', () => {
  test('take SSH from runners and nothing else', () => {
    const rules = Object.values(resources.aws_vpc_security_group_ingress_rule ?? {}).filter((rule) =>
      String(rule.security_group_id).includes('groups_machine_'),
    );
    assert.equal(rules.length, 1);
    const [rule] = rules;
    assert.deepEqual([rule?.from_port, rule?.to_port, rule?.cidr_ipv4], [22, 22, undefined]);
    assert.match(String(rule?.referenced_security_group_id), /groups_runner_/);
  });

  test('have no public address, no role, no key of others, and end when they switch themselves off', () => {
    const template = only('aws_launch_template');
    assert.equal(template.instance_initiated_shutdown_behavior, 'terminate');
    assert.deepEqual(template.metadata_options, {
      http_endpoint: 'enabled',
      http_put_response_hop_limit: 1,
      http_tokens: 'required',
      instance_metadata_tags: 'disabled',
    });
    for (const none of [
      'iam_instance_profile',
      'key_name',
      'network_interfaces',
      'user_data',
      'user_data_base64',
    ])
      assert.equal(template[none], undefined, none);
    for (const subnet of Object.values(resources.aws_subnet ?? {}))
      assert.equal(subnet.map_public_ip_on_launch, false);
  });
});

describe('the key of custody', () => {
  const policy = statements(only('aws_kms_key', 'custody').policy);

  const context = {
    StringEquals: {
      'kms:EncryptionContext:ebb:deployment': 'ebb',
      'kms:EncryptionContext:ebb:purpose': 'project-key',
    },
    StringLike: { 'kms:EncryptionContext:ebb:project': 'prj_*' },
    'ForAllValues:StringEquals': {
      'kms:EncryptionContextKeys': ['ebb:deployment', 'ebb:project', 'ebb:purpose'],
    },
  };
  const principals = ({ Principal }: Statement) => list(Principal?.AWS ?? '').join(' ');

  test('unwraps for the runners alone, in the context of a project of this installation alone', () => {
    const decrypting = policy.filter(({ Action }) =>
      list(Action).some(
        (action) => /Decrypt|ReEncrypt|\*$/.test(action) && !/^kms:(Describe|List)\*$/.test(action),
      ),
    );
    assert.deepEqual(
      decrypting.map(({ Sid }) => Sid),
      ['RunnersUnwrap'],
    );
    for (const statement of decrypting) assert.match(principals(statement), /^\S*roles_runner_\S*$/);
    assert.deepEqual(decrypting[0]?.Condition, context);
  });

  test('wraps for API and runners, in that context, and for no administrator', () => {
    const wrapping = policy.filter(({ Action }) => list(Action).some((action) => /Encrypt$/.test(action)));
    assert.equal(wrapping.length, 1);
    const [statement = assert.fail()] = wrapping;
    assert.match(principals(statement), /^\S*roles_api_\S* \S*roles_runner_\S*$/);
    assert.deepEqual(statement.Condition, context);
  });

  test('cannot be destroyed by mistake', () => {
    for (const key of Object.values(resources.aws_kms_key ?? {}))
      assert.deepEqual(key.lifecycle, { prevent_destroy: true });
  });

  test('cannot be handed on by grants', () => {
    assert.ok(!policy.some(({ Action }) => list(Action).some((action) => /Grant/.test(action))));
  });
});

describe('roles', () => {
  const policyOf = (part: string) =>
    statements(Object.values(resources.aws_iam_role_policy ?? {}).find(({ name }) => name === part)?.policy);

  test('the API may have keys wrapped, and nothing else in AWS', () => {
    const attached = Object.values(resources.aws_iam_role_policy ?? {}).filter(({ role }) =>
      /roles_api_/.test(String(role)),
    );
    assert.equal(attached.length, 1);
    const [allowed = assert.fail(), ...others] = statements(attached[0]?.policy);
    assert.deepEqual([allowed.Action, others.length], [['kms:Encrypt'], 0]);
    assert.match(String(allowed.Resource), /keys_custody_/);
    assert.equal(resources.aws_iam_role_policy_attachment, undefined);
  });

  test('runners unwrap with keys of before, and wrap with the current one only', () => {
    const custody = policyOf('runner').filter(({ Action }) =>
      list(Action).some((action) => /^kms:/.test(action)),
    );
    const withOlder = custody.filter(({ Resource }) => list(Resource).includes(olderKey));
    assert.deepEqual(
      withOlder.map(({ Action }) => Action),
      [['kms:Decrypt']],
    );
    assert.equal(custody.length, 2);
  });

  test('runners launch from the template only, with the tag, without a role and with version 2 of metadata', () => {
    const launching = policyOf('runner').filter(({ Action }) => Action === 'ec2:RunInstances');
    assert.ok(launching.length > 0);
    for (const { Condition } of launching)
      assert.match(String(Condition?.ArnEquals?.['ec2:LaunchTemplate']), /aws_launch_template/);
    const instance = launching.find(({ Resource }) => /instance\/\*$/.test(String(Resource)));
    assert.equal(instance?.Condition?.StringEquals?.['aws:RequestTag/ebb:deployment'], 'ebb');
    assert.equal(instance?.Condition?.StringEquals?.['ec2:MetadataHttpTokens'], 'required');
    assert.equal(instance?.Condition?.Null?.['ec2:InstanceProfile'], 'true');
  });

  test('runners end and change only what carries the tag', () => {
    const changing = policyOf('runner').filter(
      ({ Action, Resource }) =>
        list(Resource).includes('*') || list(Action).some((action) => /Terminate|Modify|Stop/.test(action)),
    );
    for (const { Action, Condition, Resource } of changing) {
      if (list(Resource).includes('*'))
        assert.ok(list(Action).every((action) => action.startsWith('ec2:Describe')));
      else assert.equal(Condition?.StringEquals?.['aws:ResourceTag/ebb:deployment'], 'ebb');
    }
  });

  test('runners make none a machine of the installation, and change of its machines whose they are alone', () => {
    const tagging = policyOf('runner').filter(({ Action }) => list(Action).includes('ec2:CreateTags'));
    const later = tagging.filter(
      ({ Condition }) => Condition?.StringEquals?.['ec2:CreateAction'] !== 'RunInstances',
    );
    assert.equal(later.length, 1);
    const [{ Condition = {}, Resource } = assert.fail()] = later;
    assert.match(String(Resource), /:instance\/\*$/);
    assert.equal(Condition.StringEquals?.['aws:ResourceTag/ebb:deployment'], 'ebb');
    assert.deepEqual(Condition['ForAllValues:StringEquals']?.['aws:TagKeys'], ['ebb:runner', 'ebb:shared']);
    assert.equal(Condition.Null?.['aws:TagKeys'], 'false');
  });

  test('each program is started with its own secrets only', () => {
    const named = (part: string) =>
      list(policyOf(part).find(({ Sid }) => Sid === 'Secrets')?.Resource ?? []).join(' ');
    assert.match(named('runner-start'), /runner_key/);
    assert.doesNotMatch(named('runner-start'), /token_key|hook_master|database|admin/);
  });
});

describe('data', () => {
  test('is encrypted on disk and on the wire, and reached from inside only', () => {
    const database = only('aws_db_instance');
    assert.deepEqual(
      [database.storage_encrypted, database.publicly_accessible, database.deletion_protection],
      [true, false, true],
    );
    assert.deepEqual(only('aws_db_parameter_group').parameter, [{ name: 'rds.force_ssl', value: '1' }]);
    const redis = only('aws_elasticache_replication_group');
    assert.deepEqual(
      [redis.transit_encryption_enabled, redis.transit_encryption_mode, redis.at_rest_encryption_enabled],
      [true, 'required', 'true'],
    );
    for (const [type, part] of [
      ['database', '5432'],
      ['redis', '6379'],
    ] as const) {
      const rules = Object.values(resources.aws_vpc_security_group_ingress_rule ?? {}).filter((rule) =>
        String(rule.security_group_id).includes(`groups_${type}_`),
      );
      assert.ok(rules.length > 0);
      for (const rule of rules) assert.deepEqual([rule.cidr_ipv4, String(rule.to_port)], [undefined, part]);
    }
  });

  test('of secrets the program holds none: their values come from variables that Terraform forgets', () => {
    for (const version of Object.values(resources.aws_secretsmanager_secret_version ?? {})) {
      assert.equal(version.secret_string, undefined);
      assert.match(String(version.secret_string_wo), /\$\{var\./);
    }
    assert.equal(only('aws_db_instance').password, undefined);
  });
});

describe('programs', () => {
  const containerOf = (what: string) =>
    JSON.parse(String(only('aws_ecs_task_definition', `${what}-task`).container_definitions))[0];
  /** The environment that a program gets, with what AWS would put in the place of references. */
  async function environmentOf(
    what: string,
    secrets: Record<string, string>,
  ): Promise<Record<string, string>> {
    const { environment, secrets: named } = containerOf(what);
    const references: Record<string, string> = {
      EBB_KMS_KEY: custodyKey,
      EBB_EC2_LAUNCH_TEMPLATE: 'lt-0123456789abcdef0:1',
      EBB_EC2_SUBNETS: 'subnet-0a,subnet-0b',
    };
    const plain = environment.map(({ name, value }: { name: string; value: string }) => [
      name,
      value.includes('${') ? references[name] : value,
    ]);
    const secret = named.map(({ name }: { name: string }) => [name, secrets[name]]);
    return Object.fromEntries([...plain, ...secret]);
  }

  test('the API understands all that it is told', async () => {
    const keys = await loadOrCreateApiKeyTexts(join(folder, 'keys'));
    const bundle = join(folder, 'bundle.pem');
    writeFileSync(bundle, (await createCertificate(folder, 'localhost')).authority);
    const environment = await environmentOf('api', {
      EBB_TOKEN_KEY: keys.tokenKey,
      EBB_RECEIPT_KEY: keys.receiptKey,
      EBB_HOOK_MASTER_KEY: keys.hookMasterKey,
      EBB_FIRST_ADMIN_KEY: `ebb_${'a'.repeat(43)}`,
      EBB_FIRST_RUNNER_KEY: `ebb_${'b'.repeat(43)}`,
      EBB_DATABASE_URL:
        'postgresql://ebb:p@ebb.abc.eu-central-1.rds.amazonaws.com:5432/ebb?sslmode=verify-full',
      EBB_REDIS_URL: 'rediss://:p@master.ebb.abc.euc1.cache.amazonaws.com:6379',
    });
    const read = readApiConfiguration({ ...environment, EBB_DATABASE_CA_FILE: bundle });
    assert.deepEqual(
      [read.EBB_PUBLIC_URL, read.EBB_KMS_KEY, read.EBB_DEPLOYMENT],
      ['https://ebb.example.com', custodyKey, 'ebb'],
    );
    assert.equal(read.EBB_RETIRED_RECEIPT_KEYS, whole.retiredReceiptKeys);
  });

  test('a runner understands all that it is told', async () => {
    const environment = await environmentOf('runner', {
      EBB_RUNNER_KEY: `ebb_${'b'.repeat(43)}`,
      EBB_REDIS_URL: 'rediss://:p@master.ebb.abc.euc1.cache.amazonaws.com:6379',
    });
    const read = readRunnerConfiguration(environment);
    assert.deepEqual([read.EBB_DEPLOYMENT, read.EBB_EC2_IMAGES], ['ebb', 'node=ami-0fedcba9876543210']);
    assert.deepEqual([read.EBB_KMS_KEY, read.EBB_OLDER_KEYS], [custodyKey, olderKey]);
  });

  test('runners hand their builds over before Fargate ends them', () => {
    const { environment, stopTimeout } = containerOf('runner');
    const drain = environment.find(({ name }: { name: string }) => name === 'EBB_DRAIN_SECONDS');
    assert.ok(Number(drain.value) > 0 && Number(drain.value) + 20 < stopTimeout);
  });

  test('run without privileges, on a disk that they cannot write to, with secrets by reference', () => {
    for (const what of ['api', 'runner']) {
      const container = containerOf(what);
      assert.equal(container.readonlyRootFilesystem, true);
      assert.equal(container.user, '1000:1000');
      assert.deepEqual(container.linuxParameters.capabilities, { drop: ['ALL'] });
      for (const { valueFrom } of container.secrets) assert.match(valueFrom, /aws_secretsmanager_secret/);
    }
    for (const service of Object.values(resources.aws_ecs_service ?? {}))
      assert.equal((service.network_configuration as Attributes).assign_public_ip, false);
  });

  test('start when their permissions, secrets and the way out are there, and runners are healthy when they build', () => {
    const runner = only('aws_ecs_service', 'runner');
    const needs = (runner.depends_on as string[]).map((name) => name.split('.')[0]);
    for (const type of ['aws_iam_role_policy', 'aws_secretsmanager_secret_version', 'aws_route'])
      assert.ok(needs.includes(type), type);
    const [container] = JSON.parse(String(only('aws_ecs_task_definition', 'runner').container_definitions));
    assert.match(container.healthCheck.command.join(' '), /127\.0\.0\.1:4801/);
  });

  test('runners reach the API also where only some may', () => {
    const office = synthesize({ ...whole, allowedCidrBlocks: ['192.0.2.0/24'] });
    const rules = Object.values(office.aws_vpc_security_group_ingress_rule ?? {}).filter((rule) =>
      String(rule.security_group_id).includes('groups_balancer_'),
    );
    assert.equal(rules.length, 2);
    assert.ok(rules.some((rule) => /aws_eip.*public_ip\}\/32$/.test(String(rule.cidr_ipv4))));
  });
});

test('people reach the API over TLS only, from where it is allowed', () => {
  const listeners = Object.values(resources.aws_lb_listener ?? {});
  assert.deepEqual(
    listeners.map(({ port, protocol }) => [port, protocol]),
    [[443, 'HTTPS']],
  );
  assert.match(String(listeners[0]?.ssl_policy), /TLS13/);
});

test('every property that is wrong is named at once, with the fix', () => {
  const wrong: PlatformProps = {
    ...sampleProps,
    hostName: 'ebb',
    machineImage: 'base',
    containerImage: 'ebb',
    region: 'Frankfurt',
    cidrBlock: '8.8.0.0/16',
    availabilityZones: ['eu-central-1a'],
    api: { cpu: 300 },
    database: { backupDays: 0 },
    logRetentionDays: 91,
    olderCustodyKeys: ['alias/ebb-custody'],
  };
  assert.throws(
    () => synthesize(wrong),
    (error) => {
      assert.ok(error instanceof PlatformError);
      const named = [
        'hostName',
        'machineImage',
        'containerImage',
        'region',
        'cidrBlock',
        'availabilityZones',
      ];
      for (const name of [
        ...named,
        'api and runner',
        'database.backupDays',
        'logRetentionDays',
        'olderCustodyKeys',
      ])
        assert.ok(
          error.problems.some((problem) => problem.startsWith(name)),
          name,
        );
      return true;
    },
  );
});
