import { cancelBuild } from '../builds/cancel-build.ts';
import { type Superseded, signalCancellations } from '../builds/cancel-intermediate-builds.ts';
import { enqueueBuild } from '../builds/enqueue-build.ts';
import { insertPushedBuild } from '../builds/insert-pushed-build.ts';
import { hasRoom } from '../builds/queue-room.ts';
import type { BuildRow } from '../builds/state-machine.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import type { Binding } from '../hook-bindings/hook-binding-store.ts';
import { isKnownNewest, noteHead } from '../reconciler/branch-heads.ts';
import type { WebhookEvent } from '../source-hosts/webhook-event.ts';
import { judgeEvent, type Verdict } from './judge-event.ts';
import { whyLate } from './late-event.ts';

const maxFailures = 5;
// For so long a delivery waits for room in the queue, with those behind it, so that their order stays.
const heldMs = 3_600_000;

/**
 * Deals with the deliveries that wait, oldest first, each in a transaction of its own: it leads to one build or one
 * recorded reason, whatever dies in between. Several processes may do it at once; those of one hook are dealt with one
 * after the other. Before each it waits for `turn`. While the queue is full they are held, each for an hour at most.
 */
export async function processDeliveries(
  context: ApiContext,
  signal: AbortSignal,
  turn: () => Promise<void>,
): Promise<void> {
  do await turn();
  while (!signal.aborted && (await processNext(context)));
}

// A delivery that no program can deal with must not hold up those behind it.
const failures = new Map<string, number>();

async function processNext(context: ApiContext): Promise<boolean> {
  let current: Waiting | undefined;
  try {
    const room = await hasRoom(context);
    const done = await context.database.transaction().execute(async (transaction) => {
      current = await lockNext(transaction);
      if (!current || (!room && isHeld(current, context.now()))) return undefined;
      return await settle(transaction, current, { now: context.now(), room });
    });
    if (!done) return false;
    if (current) failures.delete(nameOf(current));
    if (done.build) await enqueueBuild(context, done.build);
    await signalCancellations(context, done.cancelled);
    for (const id of done.superseded) await cancelBuild(context, id, done.why);
    return true;
  } catch (error) {
    if (!current || !(await giveUp(context, current, error))) throw error;
    return true;
  }
}

interface Waiting extends Binding {
  hook_binding_id: string;
  delivery: string;
  position: string;
  event: WebhookEvent | null;
  received_at: Date;
  project_id: string;
  team_id: string;
  revoking_at: Date | null;
}

/**
 * The oldest that waits and that nobody else deals with. The hook's row is locked, too, so that what follows sees what
 * the delivery before it did.
 */
async function lockNext(transaction: Database): Promise<Waiting | undefined> {
  const next = await transaction
    .selectFrom('webhook_delivery')
    .select(['hook_binding_id', 'delivery'])
    .where('processed_at', 'is', null)
    .orderBy('position')
    .limit(1)
    .forUpdate()
    .skipLocked()
    .executeTakeFirst();
  if (!next) return undefined;
  return await transaction
    .selectFrom('webhook_delivery')
    .innerJoin('hook_binding', 'hook_binding.id', 'webhook_delivery.hook_binding_id')
    .innerJoin('project', 'project.id', 'hook_binding.project_id')
    .select(['webhook_delivery.hook_binding_id', 'webhook_delivery.delivery', 'webhook_delivery.event'])
    .select(['webhook_delivery.position', 'webhook_delivery.received_at'])
    .select(['hook_binding.branches', 'hook_binding.tags', 'hook_binding.events'])
    .select(['project.id as project_id', 'project.team_id', 'project.revoking_at'])
    .where('webhook_delivery.hook_binding_id', '=', next.hook_binding_id)
    .where('webhook_delivery.delivery', '=', next.delivery)
    // Not a full lock on the hook: new deliveries refer to it.
    .forNoKeyUpdate(['hook_binding'])
    .executeTakeFirst();
}

interface Settled {
  build: BuildRow | undefined;
  /** Builds of the same ref that it cancelled. */
  cancelled: Superseded[];
  /** Builds of the same pull request that nobody has approved and nobody needs to. */
  superseded: string[];
  why: string;
}

function isHeld({ received_at }: Waiting, now: Date): boolean {
  return now.getTime() - received_at.getTime() < heldMs;
}

async function settle(
  transaction: Database,
  waiting: Waiting,
  { now, room }: { now: Date; room: boolean },
): Promise<Settled> {
  const { event, project_id: projectId, team_id: teamId, hook_binding_id: hookId } = waiting;
  const verdict = await judge(transaction, waiting, room);
  const isNewest = event?.event !== 'push' || (await isKnownNewest(transaction, hookId, event));
  if (event?.event === 'push') await noteHead(transaction, waiting, event);
  let build: BuildRow | undefined;
  let cancelled: Superseded[] = [];
  let number: number | undefined;
  if ('build' in verdict) {
    const wanted = { projectId, teamId, ...verdict.build };
    const inside = { database: transaction, now: () => now };
    ({ build, cancelled } = await insertPushedBuild(inside, wanted, isNewest));
    number = verdict.build.pullRequest?.fromFork ? verdict.build.pullRequest.number : undefined;
  } else number = verdict.closed;
  await transaction
    .updateTable('webhook_delivery')
    .set({
      build_id: build?.id ?? null,
      reason: 'ignored' in verdict ? verdict.ignored : null,
      event: null,
      processed_at: now,
    })
    .where('hook_binding_id', '=', hookId)
    .where('delivery', '=', waiting.delivery)
    .execute();
  return {
    ...{ build, cancelled },
    superseded: number === undefined ? [] : await awaiting(transaction, projectId, number, build?.id),
    why: build ? 'A newer commit of the pull request came.' : 'The pull request was closed.',
  };
}

const noRoom =
  'The queue of builds was full for an hour after this came. Push again, or start the build: `ebb build`.';

async function judge(transaction: Database, waiting: Waiting, room: boolean): Promise<Verdict> {
  const { event, revoking_at } = waiting;
  if (!event) return { ignored: 'Its content was lost.' };
  if (revoking_at) return { ignored: 'The project is revoked.' };
  const late = await whyLate(transaction, waiting, event);
  const verdict = late === undefined ? judgeEvent(waiting, event) : { ignored: late };
  return 'build' in verdict && !room ? { ignored: noRoom } : verdict;
}

async function awaiting(
  transaction: Database,
  projectId: string,
  number: number,
  except: string | undefined,
): Promise<string[]> {
  const rows = await transaction
    .selectFrom('build')
    .select('id')
    .where('project_id', '=', projectId)
    .where('pull_request', '=', number)
    .where('state', '=', 'awaiting_approval')
    .$if(except !== undefined, (query) => query.where('id', '<>', except ?? ''))
    .execute();
  return rows.map(({ id }) => id);
}

/** After a few failures the delivery is set aside with that reason; false while it may still succeed. */
async function giveUp(context: ApiContext, waiting: Waiting, error: unknown): Promise<boolean> {
  const name = nameOf(waiting);
  const count = (failures.get(name) ?? 0) + 1;
  failures.set(name, count);
  context.log.error({ delivery: waiting.delivery, err: error }, 'a delivery could not be dealt with');
  if (count < maxFailures) return false;
  failures.delete(name);
  await context.database
    .updateTable('webhook_delivery')
    .set({ processed_at: context.now(), event: null, reason: 'Ebb failed to deal with it. Push again.' })
    .where('hook_binding_id', '=', waiting.hook_binding_id)
    .where('delivery', '=', waiting.delivery)
    .execute();
  return true;
}

function nameOf({ hook_binding_id, delivery }: Waiting): string {
  return `${hook_binding_id} ${delivery}`;
}
