import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { buildImage } from '../../runner/image/build-image.ts';
import { buildDiskImage } from '../../runner/image/disk/disk-image.ts';
import { imageBill } from '../../runner/image/image-bill.ts';
import { findRecipe } from '../../runner/image/recipes.ts';
import { CliError } from '../cli-error.ts';

const timeLimitMs = 60 * 60_000;
const onProgress = (line: string) => console.error(`ebb: ${line}`);

/** `ebb image`: builds what VMs boot, and makes it known to Amazon EC2. */
export function imageCommand(): Command {
  const command = new Command('image').description('Build the ramdisk image that VMs boot, and publish it.');
  command
    .command('build')
    .description('Build an image, unless it is built already, and print where it is.')
    .argument('[recipe]', 'name of the recipe: base, node', 'base')
    .addOption(
      new Option('--target <target>', 'kernel and initramfs, or a disk for UEFI machines')
        .choices(['qemu', 'ec2'])
        .default('qemu'),
    )
    .option('--cache <folder>', 'where images are kept', '.ebb/cache/images')
    .action(async (recipe: string, options: { target: 'qemu' | 'ec2'; cache: string }) => {
      const made = await build(recipe, options);
      console.log(JSON.stringify(made, undefined, 2));
    });
  command
    .command('sbom')
    .description('Print the bill of materials of an image (CycloneDX), which is built unless it is there.')
    .argument('[recipe]', 'name of the recipe: base, node', 'base')
    .option('--cache <folder>', 'where images are kept', '.ebb/cache/images')
    .action(async (name: string, { cache }: { cache: string }) => {
      const recipe = findRecipe(name);
      const signal = AbortSignal.timeout(timeLimitMs);
      const image = await buildImage({ recipe, cacheDir: resolve(cache), signal, onProgress });
      process.stdout.write(await imageBill(image, recipe));
    });
  command
    .command('publish')
    .description(
      'Register an image as an AMI of the AWS account, unless it is one already, and print its id.',
    )
    .argument('[recipe]', 'name of the recipe: base, node', 'base')
    .option('--region <region>', 'AWS region; AWS_REGION when absent')
    .option('--kms-key <arn>', "KMS key that encrypts the snapshot; the account's default when absent")
    .option('--dry-run', 'print the calls instead of making them')
    .option('--cache <folder>', 'where images are kept', '.ebb/cache/images')
    .action(publish);
  return command;
}

interface PublishArguments {
  region?: string;
  kmsKey?: string;
  dryRun?: true;
  cache: string;
}

async function build(name: string, options: { target: 'qemu' | 'ec2'; cache: string }) {
  const cacheDir = resolve(options.cache);
  const signal = AbortSignal.timeout(timeLimitMs);
  const image = await buildImage({ recipe: findRecipe(name), cacheDir, signal, onProgress });
  return options.target === 'qemu' ? image : await buildDiskImage({ image, cacheDir, signal, onProgress });
}

async function publish(recipe: string, options: PublishArguments): Promise<void> {
  const { region = process.env.AWS_REGION, cache, kmsKey } = options;
  if (!region && !options.dryRun)
    throw new CliError('No region is given. Use --region or set AWS_REGION, such as eu-central-1.');
  // Loaded here only: the SDK costs a quarter of a second.
  const { planPublication, publishImage } = await import('../../runner/image/publish/publish-image.ts');
  const cacheDir = resolve(cache);
  const signal = AbortSignal.timeout(timeLimitMs);
  const image = await buildImage({ recipe: findRecipe(recipe), cacheDir, signal, onProgress });
  const disk = await buildDiskImage({ image, cacheDir, signal, onProgress });
  const what = { disk, recipe, ...(kmsKey ? { kmsKey } : {}) };
  if (options.dryRun) {
    const plan = await planPublication(what);
    const calls = [
      { 'ec2:DescribeImages': plan.find },
      { 'ebs:StartSnapshot': plan.start },
      { 'ebs:PutSnapshotBlock': { file: disk.diskPath, blocks: plan.blocks } },
      { 'ebs:CompleteSnapshot': { ChangedBlocksCount: plan.blocks } },
      { 'ec2:RegisterImage': plan.register('(the snapshot)') },
    ];
    console.log(JSON.stringify(calls, undefined, 2));
    return;
  }
  const { createAwsCalls } = await import('../../runner/image/publish/aws-calls.ts');
  const endpoint = process.env.AWS_ENDPOINT_URL;
  const aws = createAwsCalls({ region: region ?? '', ...(endpoint ? { endpoint } : {}) });
  try {
    const { imageId, isNew } = await publishImage(aws, { ...what, signal, onProgress });
    onProgress(isNew ? 'the image is registered' : 'the image was there already');
    console.log(imageId);
  } finally {
    aws.close();
  }
}
