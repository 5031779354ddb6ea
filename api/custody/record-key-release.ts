import { createHash } from 'node:crypto';
import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';

interface KeyRelease {
  teamId: string;
  projectId: string;
  /** API key of the runner that asks. */
  actor: string;
  /** Wrapped and sealed texts, as they are handed out. */
  texts: string[];
  /** What for, and what by name. */
  detail: Record<string, unknown>;
}

/**
 * Writes into the team's audit that a runner gets a project's key for a rotation, before it can open anything. Once for
 * the same texts and the same API key, which learns nothing new by asking again, as it does every few seconds. Run it in
 * a transaction, and answer after its end.
 */
export async function recordKeyRelease(
  context: ApiContext,
  { teamId, projectId, actor, texts, detail }: KeyRelease,
): Promise<void> {
  const digest = createHash('sha256')
    .update(JSON.stringify([actor, detail, texts]))
    .digest('hex');
  const first = await context.database
    .insertInto('key_release')
    .values({ project_id: projectId, digest })
    .onConflict((known) => known.doNothing())
    .returning('digest')
    .executeTakeFirst();
  if (!first) return;
  await recordAudit(context, {
    ...{ teamId, action: 'project_key.released', actor, subject: projectId, detail },
  });
}
