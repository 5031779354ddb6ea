import { Construct } from 'constructs';
import { IamRolePolicy } from './aws.ts';
import type { Keys } from './keys.ts';
import type { Logs } from './logs.ts';
import type { Machines } from './machines.ts';
import type { Network } from './network.ts';
import { policy, type Statement } from './policy.ts';
import type { Roles } from './roles.ts';
import type { Secrets } from './secrets.ts';
import type { SecurityGroups } from './security-groups.ts';
import type { PlatformSettings } from './settings.ts';

interface Parts {
  roles: Roles;
  keys: Keys;
  logs: Logs;
  machines: Machines;
  network: Network;
  groups: SecurityGroups;
  secrets: Secrets;
  accountId: string;
}

/** What each role may do, and on what. */
export class Permissions extends Construct {
  /** What must be there before a program starts. */
  readonly policies: IamRolePolicy[];

  constructor(scope: Construct, id: string, settings: PlatformSettings, parts: Parts) {
    super(scope, id);
    const { roles, secrets, logs } = parts;
    const allow = (what: string, role: { name: string }, statements: Statement[]) =>
      new IamRolePolicy(this, what, { name: what, role: role.name, policy: policy(...statements) });
    this.policies = [
      allow('runner', roles.runnerTask, [
        ...launching(settings, parts),
        ...owning(settings, parts),
        ...custody('WrapAndUnwrap', ['kms:Encrypt', 'kms:Decrypt'], [parts.keys.custody.arn]),
        ...custody('UnwrapOlder', ['kms:Decrypt'], settings.olderCustodyKeys),
      ]),
      allow('api', roles.apiTask, custody('Wrap', ['kms:Encrypt'], [parts.keys.custody.arn])),
      allow('api-start', roles.apiExecution, starting(parts, secrets.ofApi(), logs.api.arn)),
      allow('runner-start', roles.runnerExecution, starting(parts, secrets.ofRunner(), logs.runner.arn)),
    ];
  }
}

/**
 * Launching from the one template, in the private subnets, with the installation's tag and without a role.
 *
 * @see https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
 */
function launching(settings: PlatformSettings, { machines, network, groups, accountId }: Parts): Statement[] {
  const arn = (what: string, account = accountId) => `arn:aws:ec2:${settings.region}:${account}:${what}`;
  const byTemplate = { ArnEquals: { 'ec2:LaunchTemplate': machines.template.arn } };
  const tagged = { 'aws:RequestTag/ebb:deployment': settings.name };
  const sizes = ['medium', 'large', 'xlarge', '2xlarge', '4xlarge'].map((size) => `*.${size}`);
  const largest = [...sizes, ...settings.machines.instanceTypes];
  const made = ['instance/*', 'volume/*', 'network-interface/*'].map((what) => arn(what));
  return [
    {
      Sid: 'LaunchMachine',
      Action: 'ec2:RunInstances',
      Resource: arn('instance/*'),
      Condition: {
        ...byTemplate,
        StringEquals: { ...tagged, 'ec2:MetadataHttpTokens': 'required' },
        // What a build machine may cost at most. Not the very types: runners of before a change launch theirs still.
        StringLike: { 'ec2:InstanceType': largest },
        Null: { 'ec2:InstanceProfile': 'true' },
      },
    },
    {
      Sid: 'LaunchItsParts',
      Action: 'ec2:RunInstances',
      Resource: [arn('volume/*'), arn('network-interface/*')],
      Condition: { ...byTemplate, StringEquals: tagged },
    },
    {
      // By its tag, not by its id: runners of before a change launch from the AMI of before.
      Sid: 'LaunchFromItsImages',
      Action: 'ec2:RunInstances',
      Resource: arn('image/*', ''),
      Condition: {
        ...byTemplate,
        StringEquals: { 'ec2:Owner': accountId },
        StringLike: { 'aws:ResourceTag/ebb:image-digest': '*' },
      },
    },
    {
      Sid: 'LaunchFrom',
      Action: 'ec2:RunInstances',
      Resource: [
        machines.template.arn,
        groups.machine.arn,
        ...network.privateSubnetIds.map((subnet) => arn(`subnet/${subnet}`)),
        arn('spot-instances-request/*'),
      ],
      Condition: byTemplate,
    },
    {
      Sid: 'TagAtLaunch',
      Action: 'ec2:CreateTags',
      Resource: [...made, arn('spot-instances-request/*')],
      Condition: { StringEquals: { ...tagged, 'ec2:CreateAction': 'RunInstances' } },
    },
  ];
}

/** Looking around, and ending or taking over what carries the installation's tag. */
function owning(settings: PlatformSettings, { accountId }: Parts): Statement[] {
  return [
    {
      Sid: 'EndMachine',
      Action: ['ec2:TerminateInstances', 'ec2:ModifyInstanceMetadataOptions', 'ec2:GetConsoleOutput'],
      Resource: `arn:aws:ec2:${settings.region}:${accountId}:instance/*`,
      Condition: { StringEquals: { 'aws:ResourceTag/ebb:deployment': settings.name } },
    },
    {
      // Whose it is, and that another runner may take it over; never which installation's.
      Sid: 'TakeOverMachine',
      Action: 'ec2:CreateTags',
      Resource: `arn:aws:ec2:${settings.region}:${accountId}:instance/*`,
      Condition: {
        StringEquals: { 'aws:ResourceTag/ebb:deployment': settings.name },
        'ForAllValues:StringEquals': { 'aws:TagKeys': ['ebb:runner', 'ebb:shared'] },
        Null: { 'aws:TagKeys': 'false' },
      },
    },
    {
      Sid: 'Look',
      Action: [
        ...['ec2:DescribeInstances', 'ec2:DescribeInstanceTypes', 'ec2:DescribeImages'],
        'ec2:DescribeLaunchTemplateVersions',
      ],
      Resource: '*',
    },
  ];
}

/** In which context is the key's own policy to say. */
function custody(Sid: string, Action: string[], Resource: string[]): Statement[] {
  return Resource.length === 0 ? [] : [{ Sid, Action, Resource }];
}

function starting({ keys }: Parts, secretArns: string[], logGroupArn: string): Statement[] {
  return [
    { Sid: 'Secrets', Action: 'secretsmanager:GetSecretValue', Resource: secretArns },
    {
      Sid: 'OpenSecrets',
      Action: 'kms:Decrypt',
      Resource: keys.data.arn,
      Condition: { StringLike: { 'kms:ViaService': 'secretsmanager.*.amazonaws.com' } },
    },
    { Sid: 'Log', Action: ['logs:CreateLogStream', 'logs:PutLogEvents'], Resource: `${logGroupArn}:*` },
    { Sid: 'SignInToRegistry', Action: 'ecr:GetAuthorizationToken', Resource: '*' },
    {
      Sid: 'PullImage',
      Action: ['ecr:BatchCheckLayerAvailability', 'ecr:GetDownloadUrlForLayer', 'ecr:BatchGetImage'],
      Resource: '*',
    },
  ];
}
