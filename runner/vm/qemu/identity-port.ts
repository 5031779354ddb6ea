import type { Socket } from 'node:net';

const question = 'identity\n';

/**
 * Gives a VM its identity over its second serial port, once it asks: the length in bytes, then the archive, which is
 * wiped. Firmware may write to the port before. Nothing of it is in what the TPM measures.
 */
export function answerIdentity(port: Socket, archive: Buffer): void {
  let said = '';
  // A VM that is gone tells it by its exit.
  port.on('error', () => {});
  port.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString('latin1')).slice(-64);
    if (!said.endsWith(question)) return;
    port.removeAllListeners('data').resume();
    port.write(`${archive.length}\n`);
    port.write(archive, () => archive.fill(0));
  });
}
