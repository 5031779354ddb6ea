import { sql } from 'kysely';
import type { ChainContext } from './append-to-chain.ts';
import { recordAudit } from './record-audit.ts';

/** What a runner gets of a project for other work than a build. */
export interface Release {
  projectId: string;
  teamId: string;
  /** What for, in the words of the audit. */
  purpose: string;
  /** Names alone. */
  detail: Record<string, unknown>;
}

const againMs = 60 * 60_000;

/**
 * Writes into the audits of the teams that a runner gets wrapped keys, and what is sealed to them, before it has them. A
 * runner that asks again and again for the same is recorded once an hour. With a transaction as `database`, last in it.
 */
export async function recordRelease(
  context: ChainContext,
  keyId: string,
  releases: readonly Release[],
): Promise<void> {
  // In order, as whatever locks several teams has to.
  for (const { teamId, projectId, purpose, detail } of releases.toSorted(byTeam)) {
    const known = await context.database
      .selectFrom('audit_event')
      .select('seq')
      .where('team_id', '=', teamId)
      .where('subject', '=', projectId)
      .where('action', '=', 'project_key.released')
      .where('actor', '=', keyId)
      .where(sql`detail->>'for'`, '=', purpose)
      .where('at', '>', new Date(context.now().getTime() - againMs))
      .limit(1)
      .executeTakeFirst();
    if (known) continue;
    await recordAudit(context, {
      ...{ teamId, action: 'project_key.released', actor: keyId, subject: projectId },
      detail: { for: purpose, ...detail },
    });
  }
}

function byTeam(one: Release, other: Release): number {
  return one.teamId < other.teamId ? -1 : 1;
}
