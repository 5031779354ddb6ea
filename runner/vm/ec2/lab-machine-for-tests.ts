import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../qemu/free-port.ts';
import { type MetadataService, startMetadataService } from './metadata-service-for-tests.ts';

export interface LabMachine {
  host: string;
  port: number;
  metadata: MetadataService;
  /** Resolves when the machine is off. */
  exited: Promise<void>;
  console(): string;
  destroy(): Promise<void>;
}

const firmware = '/usr/share/OVMF';
const tpmArguments = [
  ...['-chardev', 'socket,id=tpm,fd=3', '-tpmdev', 'emulator,id=tpm,chardev=tpm'],
  ...['-device', 'tpm-crb,tpmdev=tpm'],
];

/**
 * A machine as Amazon EC2 gives one, as near as QEMU comes: UEFI firmware, the disk of the image attached as an NVMe
 * device, an address by DHCP, user data from a metadata service at 169.254.169.254.
 */
export async function startLabMachine(options: {
  diskPath: string;
  userData: Buffer;
  memoryMib: number;
  /** Control channel of a TPM for the machine; closed here. */
  tpm?: Socket;
}): Promise<LabMachine> {
  const folder = await mkdtemp(join(tmpdir(), 'ebb-lab-'));
  const metadata = await startMetadataService(options.userData);
  const variables = join(folder, 'variables.fd');
  await copyFile(`${firmware}/OVMF_VARS_4M.fd`, variables);
  const forward = join(folder, 'forward');
  // QEMU runs it for each connection of the guest to the metadata service.
  const relay = `exec 3<> /dev/tcp/127.0.0.1/${metadata.port}; cat <&3 & exec cat >&3`;
  await writeFile(forward, `#!/bin/bash\n${relay}\n`, { mode: 0o755 });
  const port = await freePort();
  const qemu = spawn(
    'qemu-system-x86_64',
    [
      ...['-accel', 'tcg,thread=multi', '-cpu', 'max', '-M', 'q35', '-m', String(options.memoryMib)],
      ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-serial', 'stdio'],
      ...['-drive', `if=pflash,format=raw,unit=0,readonly=on,file=${firmware}/OVMF_CODE_4M.fd`],
      ...['-drive', `if=pflash,format=raw,unit=1,file=${variables}`],
      ...['-drive', `if=none,id=disk,format=raw,snapshot=on,file=${options.diskPath}`],
      ...['-device', 'nvme,drive=disk,serial=ebb'],
      '-netdev',
      [
        'user,id=n0,net=169.254.169.0/24,host=169.254.169.2',
        `guestfwd=tcp:169.254.169.254:80-cmd:${forward}`,
        `hostfwd=tcp:127.0.0.1:${port}-:22`,
      ].join(','),
      ...['-device', 'virtio-net-pci,romfile=,netdev=n0', '-device', 'virtio-rng-pci'],
      ...(options.tpm ? tpmArguments : []),
    ],
    { stdio: ['ignore', 'pipe', 'pipe', ...(options.tpm ? [options.tpm] : [])] },
  );
  options.tpm?.destroy();
  let said = '';
  for (const stream of [qemu.stdout, qemu.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString('latin1')).slice(-20_000);
    });
  }
  const exited = once(qemu, 'close').then(() => undefined);
  return {
    host: '127.0.0.1',
    port,
    metadata,
    exited,
    console: () => said,
    async destroy() {
      qemu.kill('SIGKILL');
      await exited;
      await metadata.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
