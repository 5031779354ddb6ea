import type ssh2 from 'ssh2';
import type { Command } from './driver-for-tests.ts';

type Start = (input: string, holds: Pick<Parameters<Command>[0], 'print' | 'linger'>) => ReturnType<Command>;

interface Supervised {
  kept: Buffer;
  base: number;
  end?: string;
  /** How many hold its output open. */
  open: number;
  /** Called when there is more to tell. */
  changed(): void;
  /** Throws off who has its output. */
  leave(): void;
}

/**
 * The image's `step` for machines that are no VMs: runs each command once, keeps what is not acknowledged, and gives it to
 * who asks last.
 */
export function createSupervisorForTests(): (options: {
  channel: ssh2.ServerChannel;
  args: string[];
  start: Start;
}) => void {
  const commands = new Map<string, Supervised>();
  return ({ channel, args: [number = '', from = '0'], start }) => {
    let said: Buffer = Buffer.alloc(0);
    let attached: ((acknowledged: number) => void) | undefined;
    channel.on('data', (chunk: Buffer) => {
      said = Buffer.concat([said, chunk]);
      if (!attached) {
        if (said.length < 4 || said.length < 4 + said.readUInt32BE()) return;
        const input = said.subarray(4, 4 + said.readUInt32BE()).toString();
        said = said.subarray(4 + said.readUInt32BE());
        const command = commands.get(number) ?? launch(input, start);
        commands.set(number, command);
        attached = attach(channel, command, Number(from));
      }
      const lines = said.toString().split('\n');
      said = Buffer.from(lines.pop() ?? '');
      for (const line of lines) attached(Number(line));
    });
  };
}

function launch(input: string, start: Start): Supervised {
  const command: Supervised = { kept: Buffer.alloc(0), base: 0, open: 0, changed() {}, leave() {} };
  const print = (text: string) => {
    command.kept = Buffer.concat([command.kept, Buffer.from(text)]);
    command.changed();
  };
  const linger = () => {
    command.open += 1;
    return () => {
      command.open -= 1;
      command.changed();
    };
  };
  void start(input, { print, linger }).then((code) => {
    command.end = `exit ${code}${command.open > 0 ? ' lingers' : ''}`;
    command.changed();
  });
  return command;
}

function attach(channel: ssh2.ServerChannel, command: Supervised, from: number) {
  let next = Math.max(from, command.base);
  let told = false;
  const tell = (kind: string, payload: Buffer) => {
    const header = Buffer.alloc(5, kind);
    header.writeUInt32BE(payload.length, 1);
    channel.write(Buffer.concat([header, payload]));
  };
  const changed = () => {
    if (channel.destroyed) return;
    const more = command.kept.subarray(next - command.base);
    if (more.length > 0) tell('o', more);
    next += more.length;
    if (command.end === undefined) return;
    if (!told) tell('e', Buffer.from(command.end));
    told = true;
    if (command.kept.length === 0 && command.open === 0) command.leave();
  };
  command.leave();
  command.leave = () => {
    if (channel.destroyed) return;
    channel.exit(0);
    channel.end();
  };
  tell('f', Buffer.from(String(next)));
  command.changed = changed;
  changed();
  return (acknowledged: number) => {
    const offset = Math.max(acknowledged, command.base);
    command.kept = command.kept.subarray(offset - command.base);
    command.base = offset;
    if (told) changed();
  };
}
