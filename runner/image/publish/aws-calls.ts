import {
  CompleteSnapshotCommand,
  EBSClient,
  PutSnapshotBlockCommand,
  StartSnapshotCommand,
} from '@aws-sdk/client-ebs';
import {
  CreateTagsCommand,
  DescribeImagesCommand,
  DescribeSnapshotsCommand,
  EC2Client,
  RegisterImageCommand,
  type RegisterImageRequest,
} from '@aws-sdk/client-ec2';
import { NodeHttpHandler } from '@smithy/node-http-handler';

/** What publishing asks of AWS, each call with time limits and retries of its own. */
export interface AwsCalls {
  /** The image of this account that has the name, which no other can have, if there is one. */
  findImage(name: string, signal: AbortSignal): Promise<string | undefined>;
  /** The finished snapshot of this account that carries the tag, if there is one. */
  findSnapshot(tag: Tag, signal: AbortSignal): Promise<string | undefined>;
  /** Starts a snapshot of a volume of that many GiB; the same token gives the same snapshot. */
  startSnapshot(input: SnapshotStart, signal: AbortSignal): Promise<string>;
  /** Writes one block of 512 KiB; `checksum` is its SHA-256 in Base64. Writing it again changes nothing. */
  putBlock(input: SnapshotBlock, signal: AbortSignal): Promise<void>;
  completeSnapshot(snapshot: string, blocks: number, signal: AbortSignal): Promise<void>;
  snapshotState(snapshot: string, signal: AbortSignal): Promise<string>;
  registerImage(input: RegisterImageRequest, signal: AbortSignal): Promise<string>;
  tagImage(image: string, tags: Tag[], signal: AbortSignal): Promise<void>;
  close(): void;
}

export interface Tag {
  Key: string;
  Value: string;
}

export interface SnapshotStart {
  gibibytes: number;
  description: string;
  token: string;
  tags: Tag[];
  /** KMS key to encrypt with; the account's default when absent. */
  kmsKey?: string;
}

export interface SnapshotBlock {
  snapshot: string;
  index: number;
  data: Buffer;
  checksum: string;
}

const requestTimeoutMs = 60_000;

/** @param options.endpoint only for emulators */
export function createAwsCalls(options: { region: string; endpoint?: string }): AwsCalls {
  const configuration = {
    ...options,
    maxAttempts: 6,
    retryMode: 'adaptive',
    requestHandler: new NodeHttpHandler({
      connectionTimeout: 5_000,
      requestTimeout: requestTimeoutMs,
      throwOnRequestTimeout: true,
    }),
  };
  const ec2 = new EC2Client(configuration);
  const ebs = new EBSClient(configuration);
  const filter = ({ Key, Value }: Tag) => [{ Name: `tag:${Key}`, Values: [Value] }];
  return {
    async findImage(name, abortSignal) {
      const command = new DescribeImagesCommand({
        Owners: ['self'],
        Filters: [{ Name: 'name', Values: [name] }],
      });
      const { Images = [] } = await ec2.send(command, { abortSignal });
      return Images.find(({ State }) => State === 'available' || State === 'pending')?.ImageId;
    },
    async findSnapshot(tag, abortSignal) {
      const command = new DescribeSnapshotsCommand({ OwnerIds: ['self'], Filters: filter(tag) });
      const { Snapshots = [] } = await ec2.send(command, { abortSignal });
      return Snapshots.find(({ State }) => State === 'completed')?.SnapshotId;
    },
    async startSnapshot({ gibibytes, description, token, tags, kmsKey }, abortSignal) {
      const command = new StartSnapshotCommand({
        VolumeSize: gibibytes,
        Description: description,
        ClientToken: token,
        Tags: tags,
        Timeout: 60,
        ...(kmsKey ? { Encrypted: true, KmsKeyArn: kmsKey } : {}),
      });
      return required((await ebs.send(command, { abortSignal })).SnapshotId, 'StartSnapshot');
    },
    async putBlock({ snapshot, index, data, checksum }, abortSignal) {
      const command = new PutSnapshotBlockCommand({
        SnapshotId: snapshot,
        BlockIndex: index,
        BlockData: data,
        DataLength: data.length,
        Checksum: checksum,
        ChecksumAlgorithm: 'SHA256',
      });
      await ebs.send(command, { abortSignal });
    },
    async completeSnapshot(snapshot, blocks, abortSignal) {
      const command = new CompleteSnapshotCommand({ SnapshotId: snapshot, ChangedBlocksCount: blocks });
      await ebs.send(command, { abortSignal });
    },
    async snapshotState(snapshot, abortSignal) {
      const command = new DescribeSnapshotsCommand({ SnapshotIds: [snapshot] });
      const { Snapshots = [] } = await ec2.send(command, { abortSignal });
      return Snapshots[0]?.State ?? 'unknown';
    },
    async registerImage(input, abortSignal) {
      const { ImageId } = await ec2.send(new RegisterImageCommand(input), { abortSignal });
      return required(ImageId, 'RegisterImage');
    },
    async tagImage(image, tags, abortSignal) {
      await ec2.send(new CreateTagsCommand({ Resources: [image], Tags: tags }), { abortSignal });
    },
    close() {
      ec2.destroy();
      ebs.destroy();
    },
  };
}

function required(id: string | undefined, call: string): string {
  if (!id) throw new Error(`AWS answered ${call} without an id.`);
  return id;
}
