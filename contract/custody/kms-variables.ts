import { Type } from 'typebox';
import { apiProblems } from '../transport-security.ts';

/** An ARN of a KMS key itself; an alias could be pointed at another key. */
export const kmsKeyArn = 'arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+';

/** Environment variables of who has AWS KMS wrap or unwrap projects' keys. */
export const kmsVariables = {
  EBB_KMS_KEY: Type.Optional(
    Type.String({
      pattern: `^${kmsKeyArn}$`,
      description:
        'Instead of a key in a file: ARN of the AWS KMS key that wraps projects’ keys, arn:aws:kms:…:key/….',
    }),
  ),
  EBB_KMS_ENDPOINT: Type.Optional(
    Type.String({
      pattern: '^https?://',
      description:
        'Address of an emulator of KMS, or of an endpoint of your own; that of the region when not set.',
    }),
  ),
  EBB_DEPLOYMENT: Type.String({
    default: 'ebb',
    pattern: '^[A-Za-z0-9._-]{1,100}$',
    description:
      'Name that sets this installation apart: tag of its instances on EC2, encryption context of its keys in KMS.',
  }),
};

export function kmsProblems({
  EBB_KMS_ENDPOINT: endpoint,
}: {
  EBB_KMS_ENDPOINT?: string | undefined;
}): string[] {
  return endpoint && URL.canParse(endpoint) ? apiProblems('EBB_KMS_ENDPOINT', endpoint) : [];
}
