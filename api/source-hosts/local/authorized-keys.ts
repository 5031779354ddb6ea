import { readFileIfThere, writeFileAtomically } from './atomic-file.ts';
import { keyBlob } from './public-key.ts';
import { createTurns } from './turns.ts';

/** Keys of the people who may read and push every repository. */
export interface AuthorizedKeys {
  /** `blob` is the raw key in base64. The file is read anew, so that an edit by hand counts at once. */
  has(blob: string): Promise<boolean>;
  add(line: string): Promise<void>;
}

/**
 * Keys in a file in the format of OpenSSH's `authorized_keys`, without options before the key. Lines that are no key
 * are skipped.
 */
export function createAuthorizedKeys(file: string): AuthorizedKeys {
  const inTurn = createTurns();
  const read = async () => ((await readFileIfThere(file)) ?? '').split('\n');
  const has = async (blob: string) =>
    (await read()).some((line) => line.includes(blob) && keyBlob(line) === blob);
  return {
    has,
    add: (line) =>
      inTurn(file, async () => {
        const blob = keyBlob(line);
        if (blob === undefined)
          throw new TypeError('A key must be one line in OpenSSH format, such as "ssh-ed25519 AAAA…".');
        if (await has(blob)) return;
        const lines = (await read()).filter((known) => known !== '');
        await writeFileAtomically(file, `${[...lines, line.trim()].join('\n')}\n`);
      }),
  };
}
