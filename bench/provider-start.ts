import { spawn } from 'node:child_process';
import { selfSignedCertificate } from '../provider/plugin/certificate.ts';
import { magicCookie } from '../provider/plugin/handshake.ts';

const certificate = selfSignedCertificate().certificatePem;

/** Milliseconds from the start of a provider's process to its line of the handshake. */
export async function startTimes(command: string, words: string[], rounds: number): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) times.push(await startOnce(command, words));
  return times;
}

function startOnce(command: string, words: string[]): Promise<number> {
  const started = performance.now();
  const child = spawn(command, words, {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: {
      PATH: process.env.PATH,
      TF_PLUGIN_MAGIC_COOKIE: magicCookie,
      PLUGIN_PROTOCOL_VERSIONS: '5,6',
      PLUGIN_CLIENT_CERT: certificate,
    },
  });
  return new Promise((resolve, reject) => {
    let took: number | undefined;
    child.once('error', reject);
    child.stdout.once('data', () => {
      took = performance.now() - started;
      child.kill('SIGTERM');
    });
    child.once('exit', () =>
      took === undefined ? reject(new Error(`${command} ended without a handshake.`)) : resolve(took),
    );
  });
}
