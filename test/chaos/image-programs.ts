import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from '../../runner/vm/driver-for-tests.ts';
import { proofWithoutDisk } from '../../runner/vm/ramdisk-proof-for-tests.ts';

/** The machine that a stand-in for the image's programs runs on. */
export interface Machine {
  id: string;
  /** Whether its power is on. */
  runs(): boolean;
  /** Keeps for ever that a deployment of a build ran. */
  noteDeployment(build: string): void;
}

const lineMs = 100;
const inputCutOff = 125;

/** The image's programs, as far as a runner meets them. A command goes on when who started it is cut off, as in a real VM. */
export function imagePrograms(machine: Machine): Map<string, Command> {
  return new Map<string, Command>([
    ['true', async () => 0],
    [
      '/usr/lib/ebb/ramdisk-proof',
      async ({ print }) => {
        print(JSON.stringify(proofWithoutDisk));
        return 0;
      },
    ],
    [
      '/usr/lib/ebb/checkout',
      async ({ stdin }) => {
        await stdin;
        return 0;
      },
    ],
    ['/usr/lib/ebb/handover', async () => 0],
    [
      '/usr/lib/ebb/end-processes',
      async ({ print }) => {
        print('0');
        return 0;
      },
    ],
    ['/usr/lib/ebb/step', (run) => step(machine, run)],
  ]);
}

const step = async (machine: Machine, { stdin, print }: Parameters<Command>[0]): Promise<number> => {
  const read = readStep(await stdin);
  if (!read) return inputCutOff;
  const { build, command } = read;
  const [kind, name = '', lines, exitCode] = command.split(' ');
  if (!machine.runs()) return 1;
  if (kind === 'deploy') machine.noteDeployment(build);
  for (let number = 1; number <= Number(lines); number += 1) {
    print(`${name} ${number}/${lines} of ${build} on ${machine.id}\n`);
    await sleep(lineMs);
    if (!machine.runs()) return 1;
  }
  return Number(exitCode);
};

/** As the image's `run-step` reads it: undefined when not all of it came. */
function readStep(input: string): { build: string; command: string } | undefined {
  const [, environment = '', command = ''] = /^((?:[^\0]+\0)+)\0([^\0]*)\0$/.exec(input) ?? [];
  const build = /(?:^|\0)EBB_BUILD_ID=([^\0]*)/.exec(environment)?.[1];
  return build === undefined ? undefined : { build, command };
}
