import {
  DecryptCommand,
  type DecryptCommandOutput,
  EncryptCommand,
  type EncryptCommandOutput,
  KMSClient,
} from '@aws-sdk/client-kms';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { CustodyError, type CustodyProblem } from './custody-error.ts';
import type { KeyWrapper } from './key-wrapper.ts';

export interface KmsKeyOptions {
  /** ARN of the key itself, no alias; the region is read from it. */
  arn: string;
  /** Name of the installation, so that another one's keys cannot be unwrapped here. */
  deployment: string;
  /** Only for emulators and endpoints of one's own. */
  endpoint?: string | undefined;
}

type Answer = EncryptCommandOutput | DecryptCommandOutput;

const maxAttempts = 4;
const callTimeoutMs = 20_000;

/**
 * One key of AWS KMS. Each call names the key, the algorithm and the encryption context, which KMS authenticates, its
 * policies judge and CloudTrail shows. Throws CustodyError with what to look at.
 *
 * @see https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html
 */
export function openKmsKey(options: KmsKeyOptions) {
  const { arn, deployment, endpoint } = options;
  const client = new KMSClient({
    region: arn.split(':')[3] ?? '',
    ...(endpoint ? { endpoint } : {}),
    maxAttempts,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: 3_000,
      requestTimeout: 5_000,
      throwOnRequestTimeout: true,
    }),
  });
  const about = (projectId: string) => ({
    KeyId: arn,
    EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' as const,
    EncryptionContext: {
      'ebb:deployment': deployment,
      'ebb:project': projectId,
      'ebb:purpose': 'project-key',
    },
  });
  const send = async <T extends Answer>(
    what: string,
    call: (abortSignal: AbortSignal) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> => {
    const inTime = AbortSignal.timeout(callTimeoutMs);
    try {
      return await call(signal ? AbortSignal.any([signal, inTime]) : inTime);
    } catch (error) {
      signal?.throwIfAborted();
      throw explain(error as Error, what, options);
    }
  };
  return {
    async encrypt(plaintext: Uint8Array, projectId: string, signal?: AbortSignal): Promise<Uint8Array> {
      const command = new EncryptCommand({ ...about(projectId), Plaintext: plaintext });
      const answer = await send(
        `did not wrap the key of ${projectId}`,
        (abortSignal) => client.send(command, { abortSignal }),
        signal,
      );
      return answer.CiphertextBlob ?? new Uint8Array();
    },
    async decrypt(ciphertext: Uint8Array, projectId: string, signal?: AbortSignal): Promise<Uint8Array> {
      const command = new DecryptCommand({ ...about(projectId), CiphertextBlob: ciphertext });
      const answer = await send(
        `did not unwrap the key of ${projectId}`,
        (abortSignal) => client.send(command, { abortSignal }),
        signal,
      );
      return answer.Plaintext ?? new Uint8Array();
    },
  };
}

export type KmsKey = ReturnType<typeof openKmsKey>;

/** What the id of a KMS key begins with. */
export const kmsDriver = 'aws-kms:';

/** Has AWS KMS wrap projects' keys; needs kms:Encrypt and nothing else. */
export function createKmsKeyWrapper(options: KmsKeyOptions, key: KmsKey = openKmsKey(options)): KeyWrapper {
  const id = `${kmsDriver}${options.arn}`;
  return {
    id,
    async wrap(privateKey, projectId, signal) {
      const ciphertext = await key.encrypt(privateKey, projectId, signal);
      return `${id} ${Buffer.from(ciphertext).toString('base64url')}`;
    },
  };
}

/** @see https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html#API_Decrypt_Errors */
const reasons: Record<string, [CustodyProblem, string]> = {
  // KMS does not tell the two apart.
  InvalidCiphertextException: [
    'wrong_context',
    'it is damaged, or was wrapped for another project or another installation',
  ],
  IncorrectKeyException: ['wrong_key', 'another key wrapped it'],
  AccessDeniedException: ['not_allowed', 'this role may not do it with this key in this context'],
  NotFoundException: ['not_allowed', 'there is no such key'],
  DisabledException: ['not_allowed', 'the key is disabled'],
  KMSInvalidStateException: ['not_allowed', 'the key is disabled or waits for its deletion'],
  InvalidKeyUsageException: ['not_allowed', 'the key is not a symmetric one for encryption'],
};

function explain(cause: Error, what: string, { arn, deployment }: KmsKeyOptions): CustodyError {
  const where = `key ${arn}, EBB_DEPLOYMENT=${deployment}`;
  const [code, reason] = reasons[cause.name] ?? [
    'unavailable',
    'the service did not answer or had no capacity',
  ];
  return new CustodyError(code, `AWS KMS ${what}: ${reason} (${cause.name}; ${where}).`, { cause });
}
