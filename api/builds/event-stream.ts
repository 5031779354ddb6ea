import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { finalStates } from '../../contract/build.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import { readLog } from '../logs/read-log.ts';
import { shareReads } from '../share-reads.ts';
import type { BuildRow } from './state-machine.ts';
import { findAnyBuild, toBuild } from './store.ts';

// Announcements wake the stream; the poll is a net for one that was lost.
const pollMs = 1_000;
const heartbeatMs = 15_000;
const partBytes = 64 * 1024;

interface StreamOptions {
  from: number;
  response: ServerResponse;
  signal: AbortSignal;
  mayGoOn(): Promise<boolean>;
}

/**
 * Writes a build's log and states as server-sent events until the build is over and all of its log was sent, or until
 * the watcher goes, or until `mayGoOn`, asked before each part and each second, says no.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export async function streamEvents(
  context: ApiContext,
  build: BuildRow,
  options: StreamOptions,
): Promise<void> {
  const { response, signal, mayGoOn } = options;
  if (signal.aborted) return;
  const wake = createWake(signal);
  await context.queue.watch(build.id, wake.now, signal).catch(() => undefined);
  const heartbeat = setInterval(() => response.write(': still here\n\n'), heartbeatMs);
  try {
    let offset = options.from;
    let shown = '';
    while (!signal.aborted) {
      // The state first: when it is final, the log that is read after it is complete.
      const now = await look(context.database, { context, id: build.id });
      if (!now || !(await mayGoOn())) return;
      const isOver = finalStates.includes(now.row.state);
      offset = await sendLog(context, { row: now.row, isOver }, offset, { response, signal, mayGoOn });
      if (!(await mayGoOn())) return;
      if (now.state !== shown) await send(response, `event: build\ndata: ${now.state}\n\n`, signal);
      shown = now.state;
      if (isOver) {
        await send(response, 'event: end\ndata: {}\n\n', signal);
        return;
      }
      await wake.wait(pollMs);
    }
  } finally {
    clearInterval(heartbeat);
  }
}

type Part = { context: ApiContext; row: BuildRow; from: number; isOver: boolean };

// Who watches the same build is told the same: it is read, opened and written out once for all who ask at once.
const look = shareReads(
  async (database: Database, { context, id }: { context: ApiContext; id: string }) => {
    const row = await findAnyBuild(database, id);
    return row && { row, state: JSON.stringify(await toBuild(context, row)) };
  },
  ({ id }) => id,
);
const readPart = shareReads(readLogEvent, ({ row, from, isOver }) => `${row.id} ${from} ${isOver}`);

async function sendLog(
  context: ApiContext,
  { row, isOver }: { row: BuildRow; isOver: boolean },
  from: number,
  { response, signal, mayGoOn }: Omit<StreamOptions, 'from'>,
): Promise<number> {
  let offset = from;
  while (!signal.aborted) {
    const part = await readPart(context.database, { context, row, from: offset, isOver });
    if (!part || !(await mayGoOn())) break;
    await send(response, part.event, signal);
    offset = part.end;
  }
  return offset;
}

/** What the log has from an offset on, up to some `partBytes` of it, as an event that ends with a whole character. */
async function readLogEvent(_database: Database, { context, row, from, isOver }: Part) {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const { data } of readLog(context, row, from, partBytes)) {
    chunks.push(data);
    size += data.length;
    if (size >= partBytes) break;
  }
  const bytes = Buffer.concat(chunks);
  // A character that is split waits for its other half, so that ids stay byte offsets; at the end there is none.
  const whole = wholeCharacters(bytes) || (isOver ? bytes.length : 0);
  if (whole === 0) return undefined;
  const end = from + whole;
  const data = JSON.stringify({ offset: from, text: bytes.toString('utf8', 0, whole) });
  return { end, event: Buffer.from(`id: ${end}\nevent: log\ndata: ${data}\n\n`) };
}

/** How many of the bytes are complete UTF-8 characters. */
function wholeCharacters(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) break;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return length > back ? bytes.length - back : bytes.length;
    }
  }
  return bytes.length;
}

/** Holds back while the watcher reads slower than we write. */
async function send(response: ServerResponse, text: string | Buffer, signal: AbortSignal): Promise<void> {
  if (signal.aborted || response.destroyed) return;
  if (!response.write(text)) await once(response, 'drain', { signal }).catch(() => undefined);
}

function createWake(signal: AbortSignal) {
  let pending = false;
  let resolve: (() => void) | undefined;
  const now = () => {
    pending = true;
    resolve?.();
  };
  signal.addEventListener('abort', now, { once: true });
  return {
    now,
    async wait(timeoutMs: number): Promise<void> {
      if (!pending) {
        await new Promise<void>((done) => {
          const timer = setTimeout(done, timeoutMs);
          resolve = () => {
            clearTimeout(timer);
            done();
          };
        });
      }
      resolve = undefined;
      pending = false;
    },
  };
}
