import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';

const seedBytes = 64;

/**
 * Gives a VM its identity over its second serial port, once it asks: the length in bytes, then the archive, which is
 * wiped. Firmware may write to the port before. Nothing of it is in what the TPM measures.
 */
export function answerIdentity(port: Socket, archive: Buffer): void {
  whenAsked(port, 'identity', () => {
    port.write(`${archive.length}\n`);
    port.write(archive, () => archive.fill(0));
  });
}

/**
 * Gives a VM that goes on from a template what no two VMs may share, once it says where it stands: a fresh seed for its
 * random numbers and the time; then its identity, as `answerIdentity` does.
 */
export function answerRestored(port: Socket, archive: Buffer): void {
  whenAsked(port, 'template', () => {
    const seed = randomBytes(seedBytes);
    const now = Date.now();
    port.write(`${seed.length} ${Math.floor(now / 1000)} ${(now % 1000) * 1_000_000}\n`);
    port.write(seed, () => seed.fill(0));
    answerIdentity(port, archive);
  });
}

/** Calls back once, when a line that is said over the port ends with this word. */
export function whenAsked(port: Socket, word: string, then: () => void): void {
  let said = '';
  // A VM that is gone tells it by its exit.
  if (port.listenerCount('error') === 0) port.on('error', () => {});
  port.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString('latin1')).slice(-64);
    if (!said.endsWith(`${word}\n`)) return;
    port.removeAllListeners('data').resume();
    then();
  });
}
