import { setTimeout as delay } from 'node:timers/promises';
import { endProcess, isAlive, type ProcessIdentity } from '../../../contract/process-identity.ts';
import { type Vm, VmError, type VmExit } from '../driver.ts';
import type { VmHandle } from '../vm-handle.ts';
import { observeProcess } from './observe-process.ts';
import { adoptVmFolder, dropVmFolder, ownsVmFolder } from './vm-folder.ts';

// Its processes are no children of this one, which would be told of their end.
const lookAgainMs = 500;

/** Takes over a VM that another runner of this machine shared. Throws VmError `gone`. */
export async function adoptVm(folder: string, handle: VmHandle): Promise<Vm> {
  const processes = await adoptVmFolder(folder);
  if (!processes) {
    handle.clientKey.fill(0);
    throw new VmError('gone', `The VM ${handle.id} is not there any more.`);
  }
  const { qemu, tpm } = processes;
  const watched = new AbortController();
  let killed = false;
  const { promise: exited, resolve: exit } = Promise.withResolvers<VmExit>();
  void whenGone(qemu, watched.signal).then(() => exit({ code: null, signal: killed ? 'SIGKILL' : null }));
  const { image, ...described } = handle;
  const release = async () => {
    watched.abort();
    handle.clientKey.fill(0);
  };
  return {
    ...described,
    image: image.recipe,
    exited,
    consoleTail: () => '',
    observe: async () => ({ image, outside: await observeProcess(qemu.pid) }),
    async destroy() {
      if (!(await ownsVmFolder(folder))) {
        exit({ code: null, signal: null });
        return await release();
      }
      killed = true;
      await endProcess(qemu);
      await exited;
      if (tpm) await endProcess(tpm);
      handle.clientKey.fill(0);
      await dropVmFolder(folder);
    },
    // It was shared by who had it first.
    share: async () => {},
    release,
  };
}

async function whenGone(process: ProcessIdentity, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && (await isAlive(process)))
    await delay(lookAgainMs, undefined, { signal }).catch(() => undefined);
  // It goes on with another runner: nobody here is told of its end.
  if (signal.aborted) await new Promise(() => {});
}
