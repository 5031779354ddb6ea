import { open, readFile } from 'node:fs/promises';

const chunkBytes = 8 * 1024 * 1024;
const pageBytes = 4096;

/**
 * Which of the needles (at most 64 KiB each) are in the memory of another process, by their index. Reads all that is
 * mapped readable, through /proc: the same user, or root, may. Throws when the process is gone.
 */
export async function findInMemory(pid: number, needles: readonly Buffer[]): Promise<Set<number>> {
  const overlap = Math.max(...needles.map(({ length }) => length)) - 1;
  const found = new Set<number>();
  const memory = await open(`/proc/${pid}/mem`, 'r');
  const bytes = Buffer.alloc(chunkBytes);
  try {
    for (const [start, end] of await readableRanges(pid)) {
      for (let at = start; at < end; ) {
        const length = Math.min(chunkBytes, end - at);
        const { bytesRead } = await memory.read(bytes, 0, length, at).catch(() => ({ bytesRead: 0 }));
        // A page that was unmapped meanwhile, or that the kernel keeps for itself, cannot be read: on with the next one.
        const next = bytesRead < length ? nextPage(at + bytesRead) : at + chunkBytes - overlap;
        const shown = bytes.subarray(0, bytesRead);
        needles.forEach((needle, index) => {
          if (!found.has(index) && shown.includes(needle)) found.add(index);
        });
        at = next;
      }
    }
  } finally {
    bytes.fill(0);
    await memory.close();
  }
  return found;
}

function nextPage(address: number): number {
  return (Math.floor(address / pageBytes) + 1) * pageBytes;
}

async function readableRanges(pid: number): Promise<[number, number][]> {
  const maps = await readFile(`/proc/${pid}/maps`, 'utf8');
  return maps
    .split('\n')
    .map((line) => /^([0-9a-f]+)-([0-9a-f]+) r.* (\S*)$/.exec(line))
    .filter((match) => match !== null && !/^\[v(var|syscall|dso)/.test(match[3] ?? ''))
    .map((match) => [Number.parseInt(match?.[1] ?? '', 16), Number.parseInt(match?.[2] ?? '', 16)]);
}
