import { recordAudit } from '../audit/record-audit.ts';
import { enqueueBuild } from '../builds/enqueue-build.ts';
import { insertBuild } from '../builds/insert-build.ts';
import { hasRoom } from '../builds/queue-room.ts';
import type { BuildRow } from '../builds/state-machine.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import type { HookBindingRow } from '../hook-bindings/hook-binding-store.ts';
import { judgeEvent } from '../hooks/judge-event.ts';
import type { ProjectAtHost } from '../source-hosts/project-at-host.ts';
import type { Branch } from '../source-hosts/source-host.ts';
import type { PushEvent } from '../source-hosts/webhook-event.ts';
import { asksToSkip, firstLine, isObjectId, isRef } from '../source-hosts/webhook-parsing.ts';
import { withDeadline } from '../source-hosts/with-deadline.ts';
import { findHead, removeHead, setHeads } from './branch-heads.ts';

const maxBuilds = 20;
const callMs = 15_000;

export interface Compared {
  hook: HookBindingRow;
  project: ProjectAtHost;
  /** As they are at the source host. */
  branches: Branch[];
  /** When they were asked for. */
  at: Date;
}

/**
 * Builds the heads of branches that no webhook told of, at most twenty at a time, and forgets branches that are gone.
 * The webhook of such a head may still come; it starts nothing then.
 */
export async function catchUpBranches(
  context: ApiContext,
  { hook, project, branches, at }: Compared,
  signal: AbortSignal,
): Promise<void> {
  const { database } = context;
  const usable = usableOf(branches);
  const rows = await database
    .selectFrom('branch_head')
    .selectAll()
    .where('hook_binding_id', '=', hook.id)
    .execute();
  const known = new Map(rows.map(({ branch, commit }) => [branch, commit]));
  const there = new Set(branches.map(({ name }) => name));
  for (const { branch, commit } of rows) {
    if (!there.has(branch)) await removeHead(database, hook.id, branch, commit);
  }
  let builds = 0;
  for (const { name, commit } of usable) {
    if (builds >= maxBuilds) return;
    const before = known.get(name);
    if (before === commit) continue;
    const described = await withDeadline(signal, callMs, (inTime) =>
      project.host.describeCommit(project.repository, commit, inTime),
    );
    // Moved again since it was listed: the next round sees where to.
    if (!described) continue;
    const push: PushEvent = {
      ...{ event: 'push', delivery: 'reconciliation', repository: project.repository },
      ...{ ref: `refs/heads/${name}`, before: before ?? '0'.repeat(commit.length), commit, deleted: false },
      ...{ message: firstLine(described.message), author: firstLine(described.author) },
      skip: asksToSkip(described.message),
    };
    // The next round finds it again.
    if (!(await hasRoom(context))) return;
    const build = await catchUp(context, { hook, project, push, at });
    if (!build) continue;
    await enqueueBuild(context, build);
    builds += 1;
  }
}

/** Takes the branches as known, as they are before anything is compared. */
export async function noteFirstHeads(
  { database }: Pick<ApiContext, 'database'>,
  hookId: string,
  branches: Branch[],
  at: Date,
): Promise<void> {
  await database.transaction().execute(async (transaction) => {
    await setHeads(transaction, hookId, usableOf(branches), { at });
    await transaction
      .updateTable('hook_binding')
      .set({ compared_since: at, reconciled_at: at })
      .where('id', '=', hookId)
      .execute();
  });
}

function usableOf(branches: Branch[]): Branch[] {
  return branches.filter(({ name, commit }) => isRef(`refs/heads/${name}`) && isObjectId(commit));
}

interface Missed extends Omit<Compared, 'branches'> {
  push: PushEvent;
}

/** In one transaction: the head is known, and built if it should be, or neither. */
async function catchUp(
  context: ApiContext,
  { hook, project, push, at }: Missed,
): Promise<BuildRow | undefined> {
  const { database, now, log } = context;
  return await database.transaction().execute(async (transaction) => {
    // Its deliveries are dealt with under the same lock.
    const current = await transaction
      .selectFrom('hook_binding')
      .selectAll()
      .where('id', '=', hook.id)
      .forNoKeyUpdate()
      .executeTakeFirst();
    if (!current) return undefined;
    const branch = push.ref.slice('refs/heads/'.length);
    const wasTold = await isTold(transaction, hook.id, push);
    await setHeads(transaction, hook.id, [{ name: branch, commit: push.commit }], { at, asked: !wasTold });
    if (wasTold) return undefined;
    const verdict = judgeEvent(current, push);
    if (!('build' in verdict)) return undefined;
    const { id: projectId, teamId } = project;
    const build = await insertBuild(transaction, { projectId, teamId, ...verdict.build }, now());
    const detail = { build: build.id, ref: push.ref, commit: push.commit };
    await recordAudit(
      { ...context, database: transaction },
      {
        ...{ teamId, action: 'hook_binding.caught_up', actor: 'ebb' },
        ...{ subject: hook.id, detail },
      },
    );
    log.info({ hook_binding: hook.id, build: build.id }, 'a push was built whose webhook did not come');
    return build;
  });
}

/** Whether a webhook told of this head since the known one, be it dealt with already or not. */
async function isTold(transaction: Database, hookId: string, push: PushEvent): Promise<boolean> {
  const known = await findHead(transaction, hookId, push.ref);
  const row = await transaction
    .selectFrom('webhook_delivery')
    .select('delivery')
    .where('hook_binding_id', '=', hookId)
    .where('ref', '=', push.ref)
    .where('commit', '=', push.commit)
    .where(({ or, eb }) => or([eb('processed_at', 'is', null), eb('position', '>', known?.position ?? '0')]))
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}
