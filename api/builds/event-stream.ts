import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { finalStates } from '../../contract/build.ts';
import type { ApiContext } from '../context.ts';
import { readLog } from '../logs/read-log.ts';
import type { BuildRow } from './state-machine.ts';
import { findBuild, toBuild } from './store.ts';

// Announcements wake the stream; the poll is a net for one that was lost.
const pollMs = 1_000;
const heartbeatMs = 15_000;

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
  const wake = createWake(signal);
  await context.queue.watch(build.id, wake.now, signal).catch(() => undefined);
  const heartbeat = setInterval(() => response.write(': still here\n\n'), heartbeatMs);
  try {
    let offset = options.from;
    let shown = '';
    while (!signal.aborted) {
      // The state first: when it is final, the log that is read after it is complete.
      const row = await findBuild(context.database, build.team_id, build.id);
      if (!row || !(await mayGoOn())) return;
      offset = await sendLog(context, row, offset, { response, signal, mayGoOn });
      if (!(await mayGoOn())) return;
      const state = JSON.stringify(await toBuild(context, row));
      if (state !== shown) await send(response, `event: build\ndata: ${state}\n\n`, signal);
      shown = state;
      if (finalStates.includes(row.state)) {
        await send(response, 'event: end\ndata: {}\n\n', signal);
        return;
      }
      await wake.wait(pollMs);
    }
  } finally {
    clearInterval(heartbeat);
  }
}

async function sendLog(
  context: ApiContext,
  row: BuildRow,
  from: number,
  { response, signal, mayGoOn }: Omit<StreamOptions, 'from'>,
) {
  let offset = from;
  let rest: Buffer = Buffer.alloc(0);
  const sendText = async (bytes: Buffer) => {
    const data = JSON.stringify({ offset, text: bytes.toString('utf8') });
    offset += bytes.length;
    await send(response, `id: ${offset}\nevent: log\ndata: ${data}\n\n`, signal);
  };
  for await (const chunk of readLog(context, row, from)) {
    // The rest of a log is read for nobody who has gone.
    if (signal.aborted || !(await mayGoOn())) return offset;
    const bytes = Buffer.concat([rest, chunk.data]);
    // A character that is split over chunks waits for its other half, so that ids stay byte offsets.
    const whole = wholeCharacters(bytes);
    rest = bytes.subarray(whole);
    if (whole > 0) await sendText(bytes.subarray(0, whole));
  }
  // Nothing comes after the log of a build that is over.
  if (rest.length > 0 && finalStates.includes(row.state)) await sendText(rest);
  return offset;
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
async function send(response: ServerResponse, text: string, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
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
