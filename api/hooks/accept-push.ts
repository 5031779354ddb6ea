import { QueueFullError } from '../../queue/build-queue.ts';
import { enqueueBuild } from '../builds/enqueue-build.ts';
import { insertBuild } from '../builds/insert-build.ts';
import type { ApiContext } from '../context.ts';
import { conflict } from '../http/problem-error.ts';
import type { PushEvent, WebhookEvent } from '../source-hosts/source-host.ts';
import { matchesBranch } from './branch-patterns.ts';
import type { HookTarget } from './find-hook.ts';

export type Acceptance = { status: 'accepted'; build: string } | { status: 'ignored'; reason: string };

const skipMarker = /\[(skip ci|ci skip)\]/i;

/**
 * Remembers a delivery and, for a push that concerns the project, writes the build in the same transaction: a delivery
 * starts one build or none, however often it comes. Throws 409 for a delivery that was seen before.
 *
 * @param bodyDigest SHA-256 of the body: a signed body counts once, also under another id in the headers
 */
export async function acceptEvent(
  context: ApiContext,
  hook: HookTarget,
  event: WebhookEvent,
  bodyDigest: Buffer,
): Promise<Acceptance> {
  const ignored = whyIgnored(hook, event);
  const build = await context.database.transaction().execute(async (transaction) => {
    const seen = await transaction
      .insertInto('webhook_delivery')
      .values({
        hook_binding_id: hook.id,
        delivery: event.delivery,
        received_at: context.now(),
        build_id: null,
        body_digest: bodyDigest,
      })
      .onConflict((onConflict) => onConflict.doNothing())
      .returning('delivery')
      .executeTakeFirst();
    if (!seen)
      throw conflict(
        'delivery_replayed',
        `The delivery ${event.delivery} was received before; it starts nothing again.`,
      );
    if (ignored !== undefined) return undefined;
    const { branch = '', commit, message } = event as PushEvent;
    const { projectId, teamId } = hook;
    const row = await insertBuild(
      transaction,
      { projectId, teamId, trigger: 'push', branch, commit, message },
      context.now(),
    );
    await transaction
      .updateTable('webhook_delivery')
      .set({ build_id: row.id })
      .where('hook_binding_id', '=', hook.id)
      .where('delivery', '=', event.delivery)
      .execute();
    return row;
  });
  if (!build) return { status: 'ignored', reason: ignored ?? '' };
  // A full queue ends the build with its reason; the sender has done its part.
  await enqueueBuild(context, build).catch((error) => {
    if (!(error instanceof QueueFullError)) throw error;
  });
  return { status: 'accepted', build: build.id };
}

function whyIgnored(hook: HookTarget, event: WebhookEvent): string | undefined {
  if (event.event !== 'push') return 'This event starts no build.';
  if (event.deleted) return 'The branch was deleted.';
  if (event.branch === undefined) return 'Tags start no build.';
  if (!matchesBranch(event.branch, hook.branches))
    return `The hook binding names no pattern for the branch ${event.branch}.`;
  if (skipMarker.test(event.message)) return 'The commit message asks to skip the build.';
  return undefined;
}
