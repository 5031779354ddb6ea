import { QueueFullError } from '../../queue/build-queue.ts';
import type { ApiContext } from '../context.ts';

/**
 * Throws QueueFullError (503) before anything of a build is written, so that one that is refused leaves nothing. While
 * Redis is away there is room: what is accepted waits in the database.
 */
export async function requireRoom(context: Pick<ApiContext, 'queue'>): Promise<void> {
  await context.queue.requireRoom().catch((error) => {
    if (error instanceof QueueFullError) throw error;
  });
}

/** The same, for what can come back later by itself. */
export async function hasRoom(context: Pick<ApiContext, 'queue'>): Promise<boolean> {
  return await requireRoom(context).then(
    () => true,
    () => false,
  );
}
