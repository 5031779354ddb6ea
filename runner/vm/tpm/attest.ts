import { randomBytes } from 'node:crypto';
import { judgedPcrs } from '../../image/measured/measurements.ts';
import type { SshSession } from '../../ssh/connection.ts';
import { askForQuote, TpmError } from './commands.ts';
import { judgeQuote, type MeasuredBootVerdict, type QuoteReference } from './judge-quote.ts';

const maxAnswerBytes = 4096;
const maxLogBytes = 1024 * 1024;

/**
 * Asks a VM's TPM, over the runner's connection as root, to sign what was measured under a fresh nonce, and judges it.
 * Throws TpmError when there is no quote, SshError when the VM is lost.
 */
export async function attest(
  connection: SshSession,
  reference: Omit<QuoteReference, 'nonce'>,
  signal: AbortSignal,
): Promise<MeasuredBootVerdict> {
  const nonce = randomBytes(32);
  const tpm = async (command: Buffer) => {
    const answer = await run(connection, '/usr/lib/ebb/tpm', maxAnswerBytes, signal, command);
    if (!answer) throw new TpmError('The VM’s TPM does not answer.');
    return answer;
  };
  const quote = await askForQuote(tpm, nonce, judgedPcrs);
  const verdict = judgeQuote(quote, { ...reference, nonce });
  if (verdict.ok) return verdict;
  const eventLog = await run(connection, '/usr/lib/ebb/boot-events', maxLogBytes, signal);
  return judgeQuote(quote, { ...reference, nonce }, eventLog);
}

/** What a program of the image prints; undefined when it fails or prints nothing, or more than it should. */
async function run(
  connection: SshSession,
  program: string,
  limit: number,
  signal: AbortSignal,
  stdin?: Buffer,
): Promise<Buffer | undefined> {
  const printed: Buffer[] = [];
  let bytes = 0;
  const onStdout = (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= limit) printed.push(chunk);
  };
  const { code } = await connection.exec(program, { onStdout, signal, ...(stdin ? { stdin } : {}) });
  return code === 0 && bytes > 0 && bytes <= limit ? Buffer.concat(printed) : undefined;
}
