import type { Phase } from '../../contract/build.ts';
import type { LiveVm } from '../vm/pool.ts';
import { type AttachedCommand, attachCommand } from './attach-command.ts';
import { type Attempt, at } from './attempt.ts';
import { failed, lost } from './build-end.ts';
import type { CommandOutput } from './build-log.ts';
import type { LogCursor } from './log-cursor.ts';
import { endProcesses, type OpenedSecrets, stepInput } from './steps.ts';

interface Command {
  number: number;
  phase: Phase;
  command: string;
  /** Whether it is the first of its phase. */
  first: boolean;
}

/**
 * Runs the commands of a build in their order. With a cursor it goes on where another runner left: with the command that
 * the log stands at, which goes on in the VM all the while. Throws BuildEnd `failed` when one does not end with 0.
 */
export async function runCommands(
  attempt: Attempt,
  vm: LiveVm,
  secrets: OpenedSecrets,
  cursor: LogCursor | undefined,
): Promise<void> {
  const commands = numbered(attempt.specification.steps);
  const resumed = cursor && commands[cursor.command];
  if (cursor && !resumed) throw lost('The log stands at a command that the build does not have.');
  if (cursor && resumed) await resume(attempt, vm, secrets, resumed, cursor);
  for (const command of commands.slice(cursor ? cursor.command + 1 : 0)) {
    if (command.first) await beginPhase(attempt, vm, command);
    if (command.number === 0) await attempt.reports.milestone(at('first_step'), attempt.signal);
    await follow(attempt, vm, command, secrets, (onKept) => attempt.log.command(command, onKept));
  }
}

function numbered(steps: Attempt['specification']['steps']): Command[] {
  return steps
    .flatMap(({ phase, commands }) =>
      commands.map((command, index) => ({ phase, command, first: index === 0 })),
    )
    .map((command, number) => ({ ...command, number }));
}

async function beginPhase(
  { reports, log, signal }: Attempt,
  vm: LiveVm,
  { phase, number }: Command,
): Promise<void> {
  // A deployment's secrets are for the deployment alone, not for what a dependency left running before it.
  if (phase === 'deploy') {
    const ended = await endProcesses(vm.connection, number, signal);
    if (ended > 0) log.note(`${ended} processes of earlier commands were ended before the deployment`);
  }
  await reports.phase(phase, signal);
}

async function resume(
  attempt: Attempt,
  vm: LiveVm,
  secrets: OpenedSecrets,
  command: Command,
  cursor: LogCursor,
): Promise<void> {
  const others = Object.keys(cursor.offsets).map(Number);
  const background = others.filter((number) => number !== command.number);
  // All are open before one writes: each mark in the log tells where all of them stand.
  const opened = background.map((number) => openOutput((onKept) => attempt.log.resume(number, onKept)));
  const own = openOutput((onKept) => attempt.log.resume(command.number, onKept));
  for (const [index, number] of background.entries()) {
    const output = opened[index] as OpenOutput;
    // Its command has ended, whatever it said.
    output.attach(vm, { number, signal: attempt.signal }).ended.catch(() => undefined);
  }
  await followOpen(attempt, vm, command, secrets, own);
}

async function follow(
  attempt: Attempt,
  vm: LiveVm,
  command: Command,
  secrets: OpenedSecrets,
  open: (onKept: (offset: number) => void) => CommandOutput,
): Promise<void> {
  await followOpen(attempt, vm, command, secrets, openOutput(open));
}

async function followOpen(
  { specification, log, signal }: Attempt,
  vm: LiveVm,
  command: Command,
  secrets: OpenedSecrets,
  { output, attach }: OpenOutput,
): Promise<void> {
  const input = stepInput(command, specification, secrets);
  const end = await attach(vm, { number: command.number, input, signal }).ended;
  await output.settle();
  if (end.lingers) log.note('the command has ended; what it left running goes on, and may still print here');
  if (end.code === null) throw lost(`The command was ended by signal ${end.signal}.`);
  if (end.code !== 0) throw failed(command.command, end.code);
}

interface OpenOutput {
  output: CommandOutput;
  attach(vm: LiveVm, about: { number: number; input?: Buffer; signal: AbortSignal }): AttachedCommand;
}

/** Ties a command's output to the log, and what the log keeps of it to the VM, which need not keep that any more. */
function openOutput(open: (onKept: (offset: number) => void) => CommandOutput): OpenOutput {
  let attached: AttachedCommand | undefined;
  const output = open((offset) => attached?.acknowledge(offset));
  return {
    output,
    attach(vm, about) {
      const onOutput = (chunk: Buffer, end: number) => output.write(chunk, end);
      attached = attachCommand(vm.connection, { ...about, from: output.from, onOutput });
      // What is held back must stay so where another runner goes on: it may be half a secret.
      void attached.over.then((whole) => whole && output.over());
      return attached;
    },
  };
}
