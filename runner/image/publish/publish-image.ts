import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { RegisterImageRequest } from '@aws-sdk/client-ec2';
import type { DiskFile } from '../disk/disk-image.ts';
import { ImageError } from '../image-error.ts';
import type { AwsCalls, SnapshotStart, Tag } from './aws-calls.ts';

// Given by the EBS direct APIs: https://docs.aws.amazon.com/ebs/latest/userguide/ebs-accessing-snapshot.html
const blockBytes = 512 * 1024;
const blocksAtOnce = 8;
const gibibyte = 1024 ** 3;
/** SHA-256 of the disk; the driver takes only images that carry it. */
export const digestTag = 'ebb:image-digest';

export interface PublishOptions {
  disk: DiskFile;
  /** Name of the recipe, for people. */
  recipe: string;
  kmsKey?: string;
}

/** What is asked of AWS, in its own words, but for the blocks themselves. */
export interface PublicationPlan {
  find: { Owners: string[]; Filters: { Name: string; Values: string[] }[] };
  start: SnapshotStart;
  /** How many blocks of 512 KiB of the disk hold anything. */
  blocks: number;
  register: (snapshot: string) => RegisterImageRequest;
}

/** What publishing will do, without doing it. */
export async function planPublication({ disk, recipe, kmsKey }: PublishOptions): Promise<PublicationPlan> {
  const tag = { Key: digestTag, Value: disk.sha256 };
  const tags = [tag, { Key: 'Name', Value: `Ebb ${recipe}` }];
  let blocks = 0;
  for await (const _ of blocksOf(disk.diskPath)) blocks += 1;
  return {
    find: { Owners: ['self'], Filters: [{ Name: 'name', Values: [nameOf(recipe, disk)] }] },
    start: {
      gibibytes: Math.ceil(disk.sizeBytes / gibibyte),
      description: `Ebb ${recipe} ${disk.sha256}`,
      token: disk.sha256,
      tags,
      ...(kmsKey ? { kmsKey } : {}),
    },
    blocks,
    register: (snapshot) => registration({ disk, recipe, snapshot, tags }),
  };
}

/**
 * Makes the disk an image (AMI) of the account, or finds the one that it was made before, and gives its id. Needs no
 * bucket and no role: the blocks go into a snapshot by the EBS direct APIs. May be called again after a failure at any
 * point. Throws ImageError `publish_failed`, and what AWS says.
 */
export async function publishImage(
  aws: AwsCalls,
  options: PublishOptions & { signal: AbortSignal; onProgress(line: string): void; pollMs?: number },
): Promise<{ imageId: string; isNew: boolean }> {
  const { signal, onProgress } = options;
  const tag: Tag = { Key: digestTag, Value: options.disk.sha256 };
  const plan = await planPublication(options);
  const known = await aws.findImage(nameOf(options.recipe, options.disk), signal);
  const register = async () => {
    const snapshot = (await aws.findSnapshot(tag, signal)) ?? (await upload(aws, plan, options));
    onProgress(`registering the image of ${snapshot}`);
    return await aws.registerImage(plan.register(snapshot), signal);
  };
  const imageId = known ?? (await register());
  // Said again, for an image that lost its tags: the driver goes by them.
  await aws.tagImage(imageId, plan.start.tags, signal);
  return { imageId, isNew: known === undefined };
}

async function upload(
  aws: AwsCalls,
  plan: PublicationPlan,
  { disk, signal, onProgress, pollMs = 2_000 }: Parameters<typeof publishImage>[1],
): Promise<string> {
  const snapshot = await aws.startSnapshot(plan.start, signal);
  onProgress(`uploading ${plan.blocks} blocks of 512 KiB to ${snapshot}`);
  const blocks = blocksOf(disk.diskPath);
  const workers = Array.from({ length: blocksAtOnce }, async () => {
    for (let next = await blocks.next(); !next.done; next = await blocks.next()) {
      const { index, data } = next.value;
      const checksum = createHash('sha256').update(data).digest('base64');
      await aws.putBlock({ snapshot, index, data, checksum }, signal);
    }
  });
  await Promise.all(workers);
  await aws.completeSnapshot(snapshot, plan.blocks, signal);
  for (;;) {
    const state = await aws.snapshotState(snapshot, signal);
    if (state === 'completed') return snapshot;
    if (state === 'error') {
      const detail = `AWS could not complete the snapshot ${snapshot}. Delete it and publish again.`;
      throw new ImageError('publish_failed', detail);
    }
    await delay(pollMs, undefined, { signal });
  }
}

/** The blocks of a file that hold anything, each whole. */
async function* blocksOf(path: string): AsyncGenerator<{ index: number; data: Buffer }> {
  const file = await open(path);
  try {
    for (let index = 0; ; index++) {
      const data = Buffer.alloc(blockBytes);
      const { bytesRead } = await file.read(data, 0, blockBytes, index * blockBytes);
      if (bytesRead === 0) return;
      if (data.some((byte) => byte !== 0)) yield { index, data };
    }
  } finally {
    await file.close();
  }
}

function nameOf(recipe: string, disk: DiskFile): string {
  return `ebb-${recipe}-${disk.sha256}`;
}

/** @see https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RegisterImage.html */
function registration(about: {
  disk: DiskFile;
  recipe: string;
  snapshot: string;
  tags: Tag[];
}): RegisterImageRequest {
  const { disk, recipe, snapshot, tags } = about;
  return {
    Name: nameOf(recipe, disk),
    Description: `Ebb build machine, recipe ${recipe}. Boots into memory; its disk is never read again.`,
    Architecture: 'x86_64',
    VirtualizationType: 'hvm',
    BootMode: 'uefi',
    TpmSupport: 'v2.0',
    ImdsSupport: 'v2.0',
    EnaSupport: true,
    RootDeviceName: '/dev/xvda',
    BlockDeviceMappings: [
      {
        DeviceName: '/dev/xvda',
        Ebs: { SnapshotId: snapshot, VolumeType: 'gp3', DeleteOnTermination: true },
      },
    ],
    TagSpecifications: [{ ResourceType: 'image', Tags: tags }],
  };
}
