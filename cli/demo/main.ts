import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ImageError } from '../../runner/image/image-error.ts';
import { CliError } from '../cli-error.ts';
import { runJourney } from './journey.ts';
import { createNarrator } from './narrator.ts';
import { timingTable } from './timings.ts';

/** `npm run demo`: the main job in front of the user. Resolves with the exit code. */
export async function main(): Promise<number> {
  const narrator = createNarrator((text) => void process.stdout.write(text));
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => stop.abort(new CliError('stopped')));
  await mkdir(resolve('.ebb'), { recursive: true });
  const folder = await mkdtemp(resolve('.ebb', 'demo-'));
  const { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl } = process.env;
  try {
    const result = await runJourney({
      folder,
      cacheDir: resolve('.ebb', 'cache'),
      ...(databaseUrl ? { databaseUrl } : {}),
      ...(redisUrl ? { redisUrl } : {}),
      narrator,
      signal: stop.signal,
    });
    narrator.step('7/7 Seconds after each build was queued');
    for (const row of timingTable([result.passed, result.failed, result.revocation.build]).split('\n'))
      narrator.line(row);
    await rm(folder, { recursive: true, force: true });
    narrator.line(
      existsSync(folder)
        ? `could not remove ${folder}`
        : 'Nothing is left: no process, no VM, no file but the cache in .ebb/cache.',
    );
    return 0;
  } catch (error) {
    const forPeople = error instanceof CliError || error instanceof ImageError;
    console.error(forPeople ? `\nebb: ${error.message}` : error);
    console.error(`ebb: the demo's folder is kept: ${folder} (logs in system/logs)`);
    return 1;
  }
}
