import { readFile, writeFile } from 'node:fs/promises';
import { removeSignature } from './mach-o/remove-signature.ts';
import { signAdHoc } from './mach-o/sign.ts';
import { removeAuthenticode } from './remove-authenticode.ts';
import { runTool } from './run-tool.ts';

const identifier = 'terraform-provider-ebb';

/** Takes the signature of Node's publisher off a program that is about to change. Linux has none. */
export async function unsign(program: string, system: string, signal: AbortSignal): Promise<void> {
  if (system === 'win32') return edit(program, removeAuthenticode);
  if (system !== 'darwin') return;
  if (process.platform === 'darwin') return runTool('codesign', ['--remove-signature', program], signal);
  return edit(program, removeSignature);
}

/** Signs a program without a certificate where the system asks for a signature, which is macOS. */
export async function sign(program: string, system: string, signal: AbortSignal): Promise<void> {
  if (system !== 'darwin') return;
  if (process.platform === 'darwin') return runTool('codesign', ['--sign', '-', program], signal);
  return edit(program, (bytes) => signAdHoc(bytes, identifier));
}

async function edit(path: string, change: (bytes: Buffer) => Buffer): Promise<void> {
  await writeFile(path, change(await readFile(path)));
}
