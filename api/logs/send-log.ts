import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import type { ApiContext } from '../context.ts';
import { requireLogs } from './log-key.ts';
import { readLog } from './read-log.ts';

/**
 * Answers with the log from an offset on, as text. Throws 410 `log_destroyed`.
 *
 * @param mayGoOn asked before each part is sent; the answer is cut off where it says no
 */
export async function sendLog(
  context: ApiContext,
  build: { id: string; project_id: string },
  from: number,
  reply: FastifyReply,
  mayGoOn: () => Promise<boolean>,
): Promise<FastifyReply> {
  await requireLogs(context, build.project_id);
  const chunks = readLog(context, build, from);
  // Before the answer begins, so that a log that cannot be opened is a problem and not half an answer.
  const first = await chunks.next();
  const bytes = (async function* () {
    if (first.done) return;
    yield first.value.data;
    for await (const { data } of chunks) {
      if (!(await mayGoOn())) throw new Error('The answer was cut off: who asked may not read on.');
      yield data;
    }
  })();
  return reply.type('text/plain; charset=utf-8').send(Readable.from(bytes, { objectMode: false }));
}
