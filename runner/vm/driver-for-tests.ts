import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import ssh2 from 'ssh2';
import type { VmImage, VmReport } from '../../contract/vm.ts';
import { type Vm, type VmDriver, VmError, type VmExit, type VmLaunch } from './driver.ts';
import { makeSshKeyPair } from './openssh-private-key.ts';
import type { OutsideObservation, QemuObservation } from './outside.ts';
import { createSupervisorForTests } from './supervisor-for-tests.ts';

/** As it is seen of a VM of QEMU. */
export const seenWithoutDisk: QemuObservation = {
  kind: 'qemu',
  executable: '/usr/bin/qemu-system-x86_64',
  arguments: ['qemu-system-x86_64', '-M', 'q35,sata=off', '-m', '1024', '-nodefaults', '-serial', 'stdio'],
  open_files: ['/dev/null'],
  console: 'socket:[1]',
  memory: { kib: 1024 * 1024, dumped: false, merged: false },
  shared_files: [],
  swapped_kib: 0,
  core_limit_bytes: 0,
  host_swaps: [],
};

export const imageForTests: VmImage = {
  recipe: 'base',
  digests: { initramfs: 'a'.repeat(64), kernel: 'b'.repeat(64) },
};

/** What a runner tells of a VM, by now. */
export const reportForTests = (launched_at = new Date().toISOString()): VmReport => ({
  ...{ driver: 'qemu', launched_at, image: imageForTests, outside: seenWithoutDisk },
  runner: { name: 'runner-1', version: '0.1.0' },
});

/** What a machine does when it is told to run one of the image's programs. */
export type Command = (run: {
  vm: string;
  username: string;
  /** Everything that comes in, at its end. */
  stdin: Promise<string>;
  print(text: string): void;
  /** Of `step` alone: something holds the output open until what this gives is called. */
  linger?(): () => void;
  /** Ends the machine as if its power were cut. */
  cut(): void;
}) => Promise<number>;

export interface DriverForTests extends VmDriver {
  /** Ids of all launches, in their order. */
  launched: string[];
  /** Of all launches, in their order. */
  recipes: (string | undefined)[];
  /** Ids of the VMs that run. */
  alive: Set<string>;
  /** Ids of VMs that were taken over. */
  adopted: string[];
  /** Lines that VMs were sent as heartbeat. */
  heartbeats: Map<string, number>;
  /** How many of the next boots fail, and how. */
  failNext: number;
  failure: Error;
  /** While set, boots wait for it. */
  gate: Promise<void> | undefined;
  /** Programs of the machines by their path; the heartbeat is always there, and so is `true`. */
  commands: Map<string, Command>;
  /** What the next machines boot. */
  image: string;
  /** How the next machines prove what they booted; absent when they do not. */
  attest: Vm['attest'];
  /** What is seen of the VMs from outside. */
  outside: OutsideObservation;
  /** Ends a VM as if its power were cut. */
  cut(id: string): Promise<void>;
}

/** A driver whose machines are SSH servers in this process: for tests of what goes on around a VM, without booting. */
export function createDriverForTests(): DriverForTests {
  const running = new Map<string, Vm>();
  const driver: DriverForTests = {
    name: 'tests',
    launched: [],
    recipes: [],
    alive: new Set(),
    adopted: [],
    heartbeats: new Map(),
    failNext: 0,
    failure: new VmError('boot_failed', 'The boot failed.'),
    gate: undefined,
    commands: new Map([['true', async () => 0]]),
    image: 'image-1',
    attest: undefined,
    outside: seenWithoutDisk,
    async launch(launch) {
      driver.launched.push(launch.id);
      driver.recipes.push(launch.recipe);
      if (driver.gate) await Promise.race([driver.gate, once(launch.signal, 'abort')]);
      if (launch.signal.aborted) throw new VmError('aborted', 'The boot was given up.');
      if (driver.failNext > 0) {
        driver.failNext -= 1;
        throw driver.failure;
      }
      driver.alive.add(launch.id);
      driver.heartbeats.set(launch.id, 0);
      const onHeartbeat = (lines: number) =>
        driver.heartbeats.set(launch.id, (driver.heartbeats.get(launch.id) ?? 0) + lines);
      const vm = await startMachine(launch, onHeartbeat, driver);
      if (driver.attest) vm.attest = driver.attest;
      running.set(vm.id, vm);
      void vm.exited.then(() => {
        driver.alive.delete(launch.id);
        running.delete(vm.id);
      });
      return vm;
    },
    reap: async () => [],
    place: async () => 'tests:here',
    async adopt(handle) {
      const vm = running.get(handle.id);
      if (!vm || !driver.alive.has(handle.id))
        throw new VmError('gone', `The VM ${handle.id} is not there any more.`);
      driver.adopted.push(handle.id);
      return { ...vm, hostKey: handle.hostKey, clientKey: handle.clientKey };
    },
    close: async () => void (await Promise.all([...running.values()].map((vm) => vm.destroy()))),
    cut: async (id) => await running.get(id)?.destroy(),
  };
  return driver;
}

async function startMachine(
  launch: VmLaunch,
  onHeartbeat: (lines: number) => void,
  driver: Pick<DriverForTests, 'commands' | 'outside' | 'image'>,
): Promise<Vm> {
  const supervise = createSupervisorForTests();
  const host = makeSshKeyPair();
  const client = makeSshKeyPair();
  const ssh = new ssh2.Server({ hostKeys: [host.privateKey] }, (connection) => {
    connection.on('error', () => {});
    connection.on('authentication', (context) => {
      const known = context.method === 'publickey' && context.key.data.equals(client.publicBlob);
      if (known && ['root', 'checkout'].includes(context.username)) context.accept();
      else context.reject(['publickey']);
    });
    let username = '';
    connection.on('authentication', (context) => {
      username = context.username;
    });
    connection.on('session', (accept) => {
      const session = accept();
      session.on('auth-agent', (acceptAgent) => acceptAgent?.());
      session.on('exec', (acceptCommand, reject, { command }) => {
        if (command === '/usr/lib/ebb/heartbeat') {
          acceptCommand().on('data', (chunk: Buffer) => onHeartbeat(chunk.toString().split('\n').length - 1));
          return;
        }
        const [path = '', ...args] = command.split(' ');
        const program = driver.commands.get(path);
        if (!program) return reject();
        const channel = acceptCommand();
        const cut = () => sockets.forEach((socket) => void socket.destroy());
        if (path === '/usr/lib/ebb/step') {
          const start = (input: string, holds: Pick<Parameters<Command>[0], 'print' | 'linger'>) =>
            program({ ...holds, vm: launch.id, username, stdin: Promise.resolve(input), cut });
          return supervise({ channel, args, start });
        }
        const print = (text: string) => void channel.write(text);
        void program({ vm: launch.id, username, stdin: readAll(channel), print, cut }).then((code) => {
          if (channel.destroyed) return;
          channel.exit(code);
          channel.end();
        });
      });
    });
  });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    ssh.injectSocket(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const exited = once(server, 'close').then((): VmExit => ({ code: null, signal: 'SIGKILL' }));
  return {
    id: launch.id,
    driver: 'tests',
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    hostKey: host.publicBlob,
    clientKey: client.privateKey,
    hostAddress: '127.0.0.1',
    memoryMib: launch.memoryMib,
    cpus: launch.cpus,
    image: driver.image,
    launchedAt: new Date(),
    exited,
    consoleTail: () => '',
    observe: async () => ({ image: imageForTests, outside: driver.outside }),
    async destroy() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await exited;
    },
    share: async () => {},
    release: async () => {},
  };
}

/** By hand, because the consumers of streams destroy a channel that is still to be written to. */
function readAll(channel: ssh2.ServerChannel): Promise<string> {
  const chunks: Buffer[] = [];
  channel.on('data', (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve) => channel.on('end', () => resolve(Buffer.concat(chunks).toString())));
}
