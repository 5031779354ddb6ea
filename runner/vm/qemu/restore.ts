import type { Socket } from 'node:net';
import { answerRestored } from './identity-port.ts';
import { releaseQemu, spawnQemu } from './spawn-qemu.ts';
import type { Place, StartedVm } from './start.ts';
import type { Template } from './template.ts';
import { writeOwner } from './vm-folder.ts';

/** The machine goes on where its template stopped, and gets seed, time and identity when it says so. */
export async function startRestored(options: Place & { template: Template }): Promise<StartedVm> {
  const { machine, folder, identity, template } = options;
  const memory = await template.open();
  try {
    const qemu = await spawnQemu(
      { ...machine, start: { restored: true } },
      (pid) => writeOwner(folder, { qemu: pid }),
      ['pipe', memory.fd],
    );
    const port = qemu.stdio[3] as unknown as Socket;
    answerRestored(port, identity.archive);
    return {
      qemu,
      settle: async () => void port.destroy(),
      end: async () => void port.destroy(),
      release: () => releaseQemu(qemu),
    };
  } finally {
    await memory.close();
  }
}
