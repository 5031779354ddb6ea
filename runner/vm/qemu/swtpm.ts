import { type ChildProcess, spawn } from 'node:child_process';
import type { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { VmError } from '../driver.ts';
import { createAttestationKey, keepSha256Only, shutDown, type TpmTransport } from '../tpm/commands.ts';

/** A TPM for one VM, emulated by swtpm. Its state is in the VM's folder, on a tmpfs. */
export interface VmTpm {
  /** Public half of the key it signs quotes with: made by the runner before there was a VM. */
  attestationKey: KeyObject;
  /** Where QEMU takes hold of it; nobody else can. The caller closes its own end once QEMU has it. */
  control: Socket;
  pid: number;
  /** Ends it at once; resolves when it is gone. May be called again. */
  end(): Promise<void>;
  /** Lets it go on without this process. */
  release(): void;
}

const answerTimeoutMs = 20_000;
const maxAnswerBytes = 4096;

/**
 * Makes a TPM with a fresh attestation key and starts it, so that it waits for QEMU. It ends with QEMU. `beforeStart` is
 * told its process's number while nothing runs in it yet. Throws VmError.
 */
export async function startTpm(
  folder: string,
  signal: AbortSignal,
  beforeStart: (pid: number) => Promise<void>,
): Promise<VmTpm> {
  const state = join(folder, 'tpm');
  await mkdir(state, { mode: 0o700 });
  const attestationKey = await manufacture(state, signal);
  const swtpm = await spawnSwtpm(state, ['--ctrl', 'type=unixio,clientfd=3', '--terminate'], beforeStart);
  const closed = once(swtpm, 'close');
  return {
    attestationKey,
    control: swtpm.stdio[3] as Socket,
    pid: swtpm.pid as number,
    async end() {
      swtpm.kill('SIGKILL');
      (swtpm.stdio[3] as Socket).destroy();
      await closed;
    },
    release: () => swtpm.unref(),
  };
}

/** What is made here no VM had a hand in. */
async function manufacture(state: string, signal: AbortSignal): Promise<KeyObject> {
  try {
    return await withTpm(state, signal, async (tpm) => {
      const key = await createAttestationKey(tpm);
      await keepSha256Only(tpm);
      await shutDown(tpm);
      return key;
    });
  } catch (cause) {
    const code = signal.aborted ? 'aborted' : 'boot_failed';
    throw new VmError(code, `The TPM of a VM could not be made: ${(cause as Error).message}`, { cause });
  }
}

/** Runs a TPM, started and with its state in this folder, for as long as `work` alone talks to it. */
export async function withTpm<T>(
  state: string,
  signal: AbortSignal,
  work: (tpm: TpmTransport) => Promise<T>,
): Promise<T> {
  const swtpm = await spawnSwtpm(state, ['--fd', '3', '--flags', 'not-need-init,startup-clear']);
  const closed = once(swtpm, 'close');
  const socket = swtpm.stdio[3] as Socket;
  try {
    const result = await work((command) => answerOf(socket, command, signal));
    // It ends, with its state written, when nobody is there any more.
    socket.end();
    await Promise.race([closed, rejectOnAbort(AbortSignal.timeout(answerTimeoutMs))]);
    return result;
  } finally {
    swtpm.kill('SIGKILL');
    socket.destroy();
    await closed;
  }
}

// As QEMU is started, and for the same reasons.
const script = 'read -r go || exit 1; ulimit -c 0; exec swtpm "$@" < /dev/null';

async function spawnSwtpm(
  state: string,
  args: string[],
  beforeStart: (pid: number) => Promise<void> = async () => {},
): Promise<ChildProcess> {
  const swtpm = spawn(
    '/bin/sh',
    ['-c', script, 'sh', 'socket', '--tpm2', '--tpmstate', `dir=${state},mode=0600`, ...args],
    {
      stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
      env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
      detached: true,
    },
  );
  await once(swtpm, 'spawn');
  // A process that is gone tells it by its exit.
  for (const index of [0, 3]) swtpm.stdio[index]?.on('error', () => {});
  try {
    await beforeStart(swtpm.pid as number);
  } catch (error) {
    swtpm.kill('SIGKILL');
    throw error;
  }
  (swtpm.stdin as Writable).end('go\n');
  return swtpm;
}

/** One command's answer; its header says how long it is. */
function answerOf(socket: Socket, command: Buffer, signal: AbortSignal): Promise<Buffer> {
  const done = new AbortController();
  const limited = AbortSignal.any([signal, AbortSignal.timeout(answerTimeoutMs)]);
  return new Promise<Buffer>((resolve, reject) => {
    let answer = Buffer.alloc(0);
    const take = (chunk: Buffer) => {
      answer = Buffer.concat([answer, chunk]);
      const wanted = answer.length < 6 ? 6 : answer.readUInt32BE(2);
      if (wanted > maxAnswerBytes) reject(new Error('swtpm gave an answer that is none.'));
      else if (answer.length >= wanted) resolve(answer);
    };
    const gone = () => reject(new Error('swtpm ended. Is the package swtpm installed?'));
    socket.on('data', take).once('close', gone);
    done.signal.addEventListener('abort', () => socket.off('data', take).off('close', gone));
    rejectOnAbort(limited, done.signal).catch(reject);
    if (socket.destroyed) gone();
    socket.write(command);
  }).finally(() => done.abort());
}

function rejectOnAbort(signal: AbortSignal, done?: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = () => reject(signal.reason);
    if (signal.aborted) fail();
    signal.addEventListener('abort', fail, { once: true, ...(done ? { signal: done } : {}) });
  });
}
