import { createParser } from 'eventsource-parser';
import type { Build, LogEvent } from '../contract/build.ts';
import { RefusedError } from './cli-error.ts';
import type { Client } from './client.ts';

/** What a watcher hears of a build, in order. */
export interface BuildWatcher {
  log?(text: string): void;
  build?(build: Build): void;
}

const patienceMs = 30_000;

/**
 * Follows a build by server-sent events until it has ended and its log is complete; resolves with it. A lost connection
 * is taken up again where it broke, for up to 30 s without an answer.
 */
export async function followBuild(
  client: Client,
  id: string,
  watcher: BuildWatcher,
  signal: AbortSignal,
): Promise<Build> {
  let lastEventId = '';
  let lastHeard = Date.now();
  for (;;) {
    let last: Build | undefined;
    try {
      const headers = {
        accept: 'text/event-stream',
        ...(lastEventId ? { 'last-event-id': lastEventId } : {}),
      };
      const answer = await client.stream(`/v1/builds/${id}/events`, headers, signal);
      let ended = false;
      const parser = createParser({
        // A build may wait for long with nothing to tell but that the connection lasts.
        onComment() {
          lastHeard = Date.now();
        },
        onEvent({ event, data, id: eventId }) {
          lastHeard = Date.now();
          if (eventId) lastEventId = eventId;
          if (event === 'log') watcher.log?.((JSON.parse(data) as LogEvent).text);
          if (event === 'end') ended = true;
          if (event === 'build') {
            last = JSON.parse(data) as Build;
            watcher.build?.(last);
          }
        },
      });
      const decoder = new TextDecoder();
      for await (const chunk of answer.body ?? []) {
        parser.feed(decoder.decode(chunk, { stream: true }));
        if (ended) break;
      }
      if (ended) return last ?? (await client.get<Build>(`/v1/builds/${id}`));
    } catch (error) {
      // Gone or not for this key: asking again changes nothing.
      if (error instanceof RefusedError && [403, 404, 410].includes(error.status)) throw error;
      if (signal.aborted || Date.now() - lastHeard > patienceMs) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
    signal.throwIfAborted();
  }
}
