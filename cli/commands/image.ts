import { Command } from 'commander';
import { buildImage } from '../../runner/image/build-image.ts';
import { findRecipe } from '../../runner/image/recipes.ts';

/** `ebb image`: builds the ramdisk image that VMs boot. */
export function imageCommand(): Command {
  return new Command('image')
    .description('Build the ramdisk image that VMs boot, unless it is built already, and print where it is.')
    .argument('[recipe]', 'name of the recipe', 'base')
    .option('--cache <folder>', 'where images are kept', '.ebb/cache/images')
    .action(async (name: string, options: { cache: string }) => {
      const image = await buildImage({
        recipe: findRecipe(name),
        cacheDir: options.cache,
        signal: AbortSignal.timeout(30 * 60_000),
        onProgress: (line) => console.error(`ebb: ${line}`),
      });
      console.log(JSON.stringify(image, undefined, 2));
    });
}
