import { type FileHandle, open, readFile } from 'node:fs/promises';

const windowBytes = 8 * 1024 * 1024;

/** Which of these bytes are somewhere in the memory of a VM, by the process that is the VM. */
export async function foundInGuest(pid: number, wanted: Buffer[]): Promise<boolean[]> {
  const maps = await readFile(`/proc/${pid}/maps`, 'utf8');
  const [largest] = maps
    .split('\n')
    .map((line) => /^([0-9a-f]+)-([0-9a-f]+) rw-p .* 0 *$/.exec(line))
    .filter((match) => match !== null)
    .map(([, from = '', to = '']) => ({ from: Number.parseInt(from, 16), to: Number.parseInt(to, 16) }))
    .sort((one, other) => other.to - other.from - (one.to - one.from));
  if (!largest) throw new Error('It has no memory.');
  const memory = await open(`/proc/${pid}/mem`, 'r');
  return await foundIn(memory, wanted, largest).finally(() => memory.close());
}

/** Which of these bytes are somewhere in a file, or between two places of it. */
export async function foundIn(
  file: FileHandle,
  wanted: Buffer[],
  { from, to }: { from: number; to: number },
): Promise<boolean[]> {
  const found = wanted.map(() => false);
  const window = Buffer.alloc(windowBytes);
  const overlap = Math.max(...wanted.map(({ length }) => length)) - 1;
  for (let at = from; at < to; at += windowBytes - overlap) {
    const { bytesRead } = await file.read(window, 0, Math.min(windowBytes, to - at), at);
    const read = window.subarray(0, bytesRead);
    wanted.forEach((bytes, index) => {
      found[index] ||= read.includes(bytes);
    });
  }
  return found;
}
