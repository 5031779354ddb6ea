import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { installMissing } from '../setup/system-packages.ts';
import { buildPeerImage } from './boot-peer-image.ts';
import { type Measure, median, rounded } from './report.ts';

/** Debian's autopkgtest-virt-qemu, which makes a fresh VM for every test. */
export interface Peer {
  /** From its start to what the first command in its VM prints. */
  boot(): Promise<void>;
  /** A measure of Ebb's beside the median of its boots that came to an end, or beside why it has none. */
  beside(measure: string, times: number[]): Measure;
}

export interface PeerOptions {
  accelerator: 'kvm' | 'tcg';
  memoryMib: number;
  cpus: number;
  cacheDir: string;
  /** On a tmpfs, which its manual advises for the overlay of its disk. */
  folder: string;
  signal: AbortSignal;
}

const name = 'autopkgtest-virt-qemu';
const commandTimeoutMs = 120_000;

/** Makes what the peer needs. Whatever fails here or in a boot, Ebb's own measures go on and tell it. */
export async function preparePeer(options: PeerOptions): Promise<Peer> {
  const times: number[] = [];
  const problems: string[] = [];
  const fail = (error: Error): void => void problems.push(error.message);
  const words = await wordsFor(options).catch(fail);
  return {
    async boot() {
      if (words) await bootOnce(words, options.folder).then((time) => times.push(time), fail);
    },
    beside(measure, own) {
      const value = median(own);
      const peer = median(times);
      const ran = times.length > 0;
      const failed = problems.length > 0 ? [`${problems.length} failed: ${problems.at(-1)}`] : [];
      const against = [ran ? `${rounded(peer)} ms` : 'not run', ...failed].join(', ');
      return {
        ...{ bench: 'boot', measure, value: rounded(value), unit: 'ms', against: `${name}: ${against}` },
        ...{ ratio: ran ? rounded(value / peer, 3) : null, target: null, met: null },
      };
    },
  };
}

async function wordsFor(options: PeerOptions): Promise<string[]> {
  if (!(await installMissing(['bench']))) throw new Error('its packages are not installed');
  const image = await buildPeerImage(options.cacheDir, options.signal);
  const settings = {
    kernel: image.kernelPath,
    initrd: image.initrdPath,
    append: 'root=/dev/vda rw console=ttyS0 quiet',
    // It asks for KVM where there is /dev/kvm, whether or not that works.
    accel: options.accelerator,
  };
  const machine = join(options.folder, 'peer.cfg');
  const lines = Object.entries(settings).map(([key, value]) => `  ${key} = "${value}"\n`);
  await writeFile(machine, `[machine]\n${lines.join('')}`);
  const cpu = options.accelerator === 'kvm' ? 'host' : 'max';
  return [
    ...[`--cpus=${options.cpus}`, `--ram-size=${options.memoryMib}`, '--timeout-reboot=300'],
    // By a file, because it cuts these options at every space.
    ...[`--qemu-options=-cpu ${cpu} -readconfig ${machine}`, image.diskPath],
  ];
}

/** /usr/share/doc/autopkgtest/README.virtualisation-server.rst.gz */
async function bootOnce(words: string[], folder: string): Promise<number> {
  const start = performance.now();
  const server = spawn(name, words, {
    env: { ...process.env, TMPDIR: folder },
    // A group, because a server that fails while it opens can leave its QEMU behind.
    detached: true,
  });
  const ended = new Promise<void>((resolve) => server.once('close', () => resolve()));
  let said = '';
  server.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-500);
  });
  // Its end shows where an answer is missing.
  for (const source of [server, server.stdin]) source.on('error', () => {});
  const answers = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<string> => {
    const { value = '' } = await answers.next();
    if (!/^ok\b/.test(value)) throw new Error(`${value || 'no answer'}: ${said.trim().split('\n').at(-1)}`);
    return value;
  };
  const ask = (command: string): Promise<string> => {
    server.stdin.write(`${command}\n`);
    return answer();
  };
  try {
    await answer();
    await ask('open');
    const [, prefix = ''] = (await ask('print-execute-command')).split(' ');
    const printed = await firstOutput([...prefix.split(',').map(decodeURIComponent), 'echo', 'ready']);
    server.stdin.write('quit\n');
    await ended;
    return printed - start;
  } finally {
    endGroup(server.pid);
    await ended;
  }
}

/** When a program printed something. */
async function firstOutput([program = '', ...words]: string[]): Promise<number> {
  const command = spawn(program, words, {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: commandTimeoutMs,
  });
  let printed: number | undefined;
  for await (const _ of command.stdout) printed ??= performance.now();
  if (printed === undefined) throw new Error('a command in its VM printed nothing');
  return printed;
}

function endGroup(leader: number | undefined): void {
  if (leader === undefined) return;
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}
