import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { DescribeImagesCommand, DescribeSnapshotsCommand } from '@aws-sdk/client-ec2';
import { type Moto, startMoto } from '../../vm/ec2/moto-for-tests.ts';
import type { DiskFile } from '../disk/disk-image.ts';
import { type AwsCalls, createAwsCalls } from './aws-calls.ts';
import { planPublication, publishImage } from './publish-image.ts';

const mebibyte = 1024 * 1024;
const signal = AbortSignal.timeout(60_000);
let moto: Moto;
let aws: AwsCalls;
let folder: string;
let disk: DiskFile;
let content: Buffer;

before(async () => {
  moto = await startMoto();
  aws = createAwsCalls({ region: 'eu-central-1', endpoint: moto.url });
  folder = await mkdtemp(join(tmpdir(), 'ebb-publish-'));
});
after(async () => {
  aws.close();
  await moto.close();
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  // Three blocks of six hold something.
  content = Buffer.alloc(3 * mebibyte);
  for (const block of [0, 3, 5]) randomBytes(1000).copy(content, block * (mebibyte / 2) + 77);
  const digest = createHash('sha256').update(content).digest('hex');
  const diskPath = join(folder, digest);
  await writeFile(diskPath, content);
  disk = { digest, diskPath, sha256: digest, sizeBytes: content.length };
});

const publish = (calls: AwsCalls = aws) =>
  publishImage(calls, { disk, recipe: 'base', signal, onProgress: () => {}, pollMs: 10 });
const snapshots = async () => {
  const command = new DescribeSnapshotsCommand({
    Filters: [{ Name: 'tag:ebb:image-digest', Values: [disk.digest] }],
  });
  return (await moto.client.send(command)).Snapshots ?? [];
};

test('a disk becomes an image of the account, once', async () => {
  const first = await publish();
  assert.match(first.imageId, /^ami-/);
  assert.deepEqual(await publish(), { imageId: first.imageId, isNew: false });
  const { Images = [] } = await moto.client.send(new DescribeImagesCommand({ ImageIds: [first.imageId] }));
  assert.equal(Images.length, 1);
  assert.ok(Images[0]?.Tags?.some(({ Key, Value }) => Key === 'ebb:image-digest' && Value === disk.digest));
  assert.equal((await snapshots()).length, 1);
});

test('only the blocks that hold something are sent, each with its checksum', async () => {
  const sent: number[] = [];
  const watched: AwsCalls = {
    ...aws,
    async putBlock(block, given) {
      sent.push(block.index);
      const expected = content.subarray(block.index * (mebibyte / 2), (block.index + 1) * (mebibyte / 2));
      assert.deepEqual(block.data, expected);
      assert.equal(block.checksum, createHash('sha256').update(expected).digest('base64'));
      await aws.putBlock(block, given);
    },
  };
  await publish(watched);
  assert.deepEqual(sent.sort(), [0, 3, 5]);
});

test('a publication that broke off goes on with the snapshot that is complete', async () => {
  const broken: AwsCalls = { ...aws, registerImage: () => Promise.reject(new Error('cut off')) };
  await assert.rejects(publish(broken), /cut off/);
  const { isNew } = await publish();
  assert.equal(isNew, true);
  assert.equal((await snapshots()).length, 1);
});

test('the image asks for UEFI, NitroTPM, ENA and version 2 of the metadata service', async () => {
  const plan = await planPublication({ disk, recipe: 'base' });
  const { BootMode, TpmSupport, ImdsSupport, EnaSupport, BlockDeviceMappings } = plan.register('snap-1');
  assert.deepEqual([BootMode, TpmSupport, ImdsSupport, EnaSupport], ['uefi', 'v2.0', 'v2.0', true]);
  assert.equal(BlockDeviceMappings?.[0]?.Ebs?.DeleteOnTermination, true);
  assert.deepEqual([plan.blocks, plan.start.gibibytes], [3, 1]);
});
