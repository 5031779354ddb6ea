import { Construct } from 'constructs';
import { KmsAlias, KmsKey } from './aws.ts';
import { policy, type Statement } from './policy.ts';
import type { Roles } from './roles.ts';
import type { PlatformSettings } from './settings.ts';

/**
 * Two keys. `custody` wraps the private key of every project, and with it every deploy key and secret of every team: its
 * policy lets the runners' role decrypt, and nobody else whatever other policies say; the API's role may encrypt. Both may
 * only in the context of a project of this installation. `data` encrypts what lies on AWS's disks.
 */
export class Keys extends Construct {
  readonly custody: KmsKey;
  readonly data: KmsKey;

  constructor(
    scope: Construct,
    id: string,
    settings: PlatformSettings,
    parts: { roles: Roles; accountId: string },
  ) {
    super(scope, id);
    // Deleted, nothing could be opened any more: of backups neither.
    const lifecycle = { preventDestroy: settings.database.protected };
    const account = `arn:aws:iam::${parts.accountId}:root`;
    this.custody = new KmsKey(this, 'custody', {
      description: `${settings.name}: wraps the keys of projects; runners alone unwrap`,
      enableKeyRotation: true,
      deletionWindowInDays: 30,
      lifecycle,
      policy: policy(
        {
          // Manages the key and uses it for nothing; PutKeyPolicy could still let its caller in, by one visible call.
          Sid: 'Manage',
          Principal: { AWS: account },
          Action: [
            ...[
              'kms:Describe*',
              'kms:List*',
              'kms:GetKeyPolicy',
              'kms:GetKeyRotationStatus',
              'kms:PutKeyPolicy',
            ],
            ...['kms:EnableKeyRotation', 'kms:EnableKey', 'kms:DisableKey', 'kms:UpdateKeyDescription'],
            ...[
              'kms:TagResource',
              'kms:UntagResource',
              'kms:CreateAlias',
              'kms:DeleteAlias',
              'kms:UpdateAlias',
            ],
            ...['kms:ScheduleKeyDeletion', 'kms:CancelKeyDeletion', 'kms:RotateKeyOnDemand'],
          ],
          Resource: '*',
        },
        {
          Sid: 'RunnersUnwrap',
          Principal: { AWS: parts.roles.runnerTask.arn },
          Action: 'kms:Decrypt',
          Resource: '*',
          Condition: contextOf(settings),
        },
        {
          // Runners too: after a rotation they wrap anew.
          Sid: 'Wrap',
          Principal: { AWS: [parts.roles.apiTask.arn, parts.roles.runnerTask.arn] },
          Action: 'kms:Encrypt',
          Resource: '*',
          Condition: contextOf(settings),
        },
      ),
    });
    new KmsAlias(this, 'custody-alias', {
      name: `alias/${settings.name}-custody`,
      targetKeyId: this.custody.keyId,
    });
    this.data = new KmsKey(this, 'data', {
      description: `${settings.name}: database, Redis, secrets and logs`,
      enableKeyRotation: true,
      deletionWindowInDays: 30,
      lifecycle,
      policy: policy(
        { Sid: 'Account', Principal: { AWS: account }, Action: 'kms:*', Resource: '*' },
        {
          Sid: 'Logs',
          Principal: { Service: `logs.${settings.region}.amazonaws.com` },
          Action: ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:Describe*'],
          Resource: '*',
          Condition: {
            ArnLike: {
              'kms:EncryptionContext:aws:logs:arn': `arn:aws:logs:${settings.region}:${parts.accountId}:log-group:/${settings.name}/*`,
            },
          },
        },
      ),
    });
    new KmsAlias(this, 'data-alias', { name: `alias/${settings.name}-data`, targetKeyId: this.data.keyId });
  }
}

/**
 * The encryption context in which keys are wrapped: these three and no more, of this installation.
 *
 * @see https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-encryption-context
 */
function contextOf({ name }: PlatformSettings): NonNullable<Statement['Condition']> {
  const key = (what: string) => `kms:EncryptionContext:ebb:${what}`;
  return {
    StringEquals: { [key('deployment')]: name, [key('purpose')]: 'project-key' },
    StringLike: { [key('project')]: 'prj_*' },
    'ForAllValues:StringEquals': {
      'kms:EncryptionContextKeys': ['ebb:deployment', 'ebb:project', 'ebb:purpose'],
    },
  };
}
