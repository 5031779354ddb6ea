import { readFile } from 'node:fs/promises';
import { CliError } from './cli-error.ts';
import { endpointFromEnvironment } from './client.ts';

/** Ebb's public keys (JWKS) from a file or, when none is named, from the API that EBB_ENDPOINT names. */
export async function readPublicKeys(path: string | undefined): Promise<unknown> {
  if (path !== undefined) return parseJson(await readFile(path, 'utf8'), path);
  const endpoint = endpointFromEnvironment(process.env);
  const answer = await fetch(`${endpoint}/.well-known/jwks.json`, { signal: AbortSignal.timeout(10_000) });
  if (!answer.ok) throw new CliError(`${endpoint} answered ${answer.status} when asked for its public keys.`);
  return await answer.json();
}

/** Throws CliError with the name of the file when the text is not JSON. */
export function parseJson(text: string, path: string) {
  try {
    return JSON.parse(text);
  } catch {
    throw new CliError(`${path} is not JSON.`);
  }
}
