import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Image } from '../runner/image/build-image.ts';
import { createIdentity } from '../runner/vm/identity.ts';
import { readConsole } from '../runner/vm/qemu/console.ts';
import { freePort } from '../runner/vm/qemu/free-port.ts';
import { writeInitrd } from '../runner/vm/qemu/initrd.ts';

/** Boots an image by nothing but QEMU, and gives the milliseconds until its SSH server says its name. */
export async function bootBare(image: Image, parent: string): Promise<number> {
  const folder = await mkdtemp(join(parent, 'bare-'));
  const initrd = await writeInitrd(folder, createIdentity().archive, image.initramfsPath);
  const port = await freePort();
  const start = performance.now();
  const qemu = spawn('qemu-system-x86_64', [
    ...['-accel', 'tcg,thread=multi', '-cpu', 'max', '-M', 'q35', '-m', '1024', '-nodefaults'],
    ...['-display', 'none', '-no-reboot', '-serial', 'stdio', '-kernel', image.kernelPath, '-initrd', initrd],
    ...['-append', `console=ttyS0 ${image.commandLine} ebb.deadman=600`],
    ...['-netdev', `user,id=net,hostfwd=tcp:127.0.0.1:${port}-:22`],
    ...['-device', 'virtio-net-pci,romfile=,netdev=net', '-device', 'virtio-rng-pci'],
  ]);
  const ended = once(qemu, 'close');
  try {
    // A connection before it listens can stall for seconds.
    await readConsole(qemu.stdout).saw('ebb: ready');
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'data');
    socket.destroy();
    return performance.now() - start;
  } finally {
    qemu.kill('SIGKILL');
    await ended;
    await rm(folder, { recursive: true, force: true });
  }
}
