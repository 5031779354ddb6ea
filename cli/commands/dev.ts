import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { installMissing } from '../../setup/system-packages.ts';
import { CliError } from '../cli-error.ts';
import { type DevSystem, type DevSystemOptions, startDevSystem } from '../dev/dev-system.ts';
import { pinHostKey } from '../dev/developer-key.ts';
import { createRepository } from '../dev/repository.ts';
import { createSampleRepository } from '../dev/sample-repository.ts';
import { onStopRequest } from '../stop-request.ts';

/** `ebb dev`: the whole of Ebb on this machine, until Ctrl-C. */
export function devCommand(): Command {
  return new Command('dev')
    .description(
      'Run all of Ebb on this machine: API, one runner, Redis, PGlite, QEMU and the built-in source host.',
    )
    .option('--folder <folder>', 'where it keeps its data', '.ebb/dev')
    .option('--port <port>', 'port of the API on loopback', '4800')
    .action(async (options: { folder: string; port: string }) => {
      const port = Number(options.port);
      if (!Number.isInteger(port) || port < 0 || port > 65_535) {
        throw new CliError(
          `--port ${options.port} is no port. Give a number from 0 (any free port) to 65535.`,
        );
      }
      const measuredBoot = readMeasuredBoot(process.env.EBB_QEMU_MEASURED_BOOT);
      const uses = measuredBoot === 'on' ? (['run', 'measured'] as const) : (['run'] as const);
      if (!(await installMissing(uses))) throw new CliError('Some programs are missing.');
      await runDev(resolve(options.folder), port, measuredBoot);
    });
}

type MeasuredBoot = NonNullable<DevSystemOptions['measuredBoot']>;

function readMeasuredBoot(value = 'auto'): MeasuredBoot {
  if (value === 'auto' || value === 'on' || value === 'off') return value;
  throw new CliError(`EBB_QEMU_MEASURED_BOOT is ${JSON.stringify(value)}. Set it to auto, on or off.`);
}

async function runDev(folder: string, port: number, measuredBoot: MeasuredBoot): Promise<void> {
  const { stop, kill } = onStopRequest();
  console.log('ebb: starting; the first start builds the image and the provider');
  // What builds the provider is there for development only; the other commands run without it.
  const { installProvider } = await import('../dev/install-provider.ts');
  const terraformConfig = await installProvider({
    folder,
    signal: kill,
    onProgress: (line) => console.log(`ebb: ${line}`),
  });
  const { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl } = process.env;
  const system = await startDevSystem({
    folder,
    cacheDir: resolve('.ebb/cache'),
    port,
    ...(databaseUrl ? { databaseUrl } : {}),
    ...(redisUrl ? { redisUrl } : {}),
    measuredBoot,
    signal: AbortSignal.any([stop, kill]),
  });
  try {
    await pinHostKey(system.developer, '127.0.0.1', system.source.port, system.source.hostKey);
    await createRepository(system.source.repositories, 'shop');
    const clone = join(folder, 'shop');
    await layOutSample(clone, system);
    console.log(nextSteps(system, { terraformConfig, folder, clone, measuredBoot }));
    await Promise.race([
      system.broken,
      new Promise((done) => stop.addEventListener('abort', done, { once: true })),
    ]);
  } finally {
    console.log('ebb: stopping');
    await system.close();
  }
}

async function layOutSample(clone: string, { source, developer }: DevSystem): Promise<void> {
  const fresh = !existsSync(clone);
  const url = `ssh://git@127.0.0.1:${source.port}/shop.git`;
  const repository = await createSampleRepository({ folder: clone, url, sshCommand: developer.sshCommand });
  if (fresh) await repository.commit('Open the shop');
}

function nextSteps(
  system: DevSystem,
  at: { terraformConfig: string; folder: string; clone: string; measuredBoot: MeasuredBoot },
): string {
  const { terraformConfig, folder, clone, measuredBoot } = at;
  const measured = {
    auto: 'on where KVM works and swtpm and OVMF are installed, else off; EBB_QEMU_MEASURED_BOOT=on or off decides',
    on: 'on: each VM proves by a TPM what it booted',
    off: 'off; EBB_QEMU_MEASURED_BOOT=on turns it on',
  }[measuredBoot];
  return `
Ebb runs at ${system.url} (reference: ${system.url}/docs). Data: ${folder}. End it with Ctrl-C.
Measured boot is ${measured}.
People sign in at ${system.url}/sign-in; mails, and the links in them, stand in ${join(folder, 'logs', 'api.log')}.

In another terminal, in ${process.cwd()}:
  export EBB_ENDPOINT=${system.url} EBB_API_KEY=${system.adminKey}
  export TF_CLI_CONFIG_FILE=${terraformConfig} TF_VAR_greeting=hello

The three things to try next:
  1. Declare a project:         terraform -chdir=examples/hcl init && terraform -chdir=examples/hcl apply
  2. Push to it (its clone):    git -C ${clone} push origin main
  3. Look on as it is built:    npx ebb logs default/shop
Then change something, and push again:
  date > ${clone}/changed && git -C ${clone} add . && git -C ${clone} commit -m Changed && git -C ${clone} push origin main
`;
}
