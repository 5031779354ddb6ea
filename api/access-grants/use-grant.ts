import type { FastifyRequest } from 'fastify';
import type { GrantScope } from '../../contract/access-grant.ts';
import { isOperatorScope } from '../../contract/token.ts';
import { recordAudit } from '../audit/record-audit.ts';
import type { Principal } from '../auth/principal.ts';
import { stillGood } from '../auth/require-scope.ts';
import type { ApiContext } from '../context.ts';
import type { Database } from '../db/database.ts';
import type { ProblemError } from '../http/problem-error.ts';
import { queueMails } from '../mail/outbox.ts';
import { noteEnd } from './end-grant.ts';
import { grantLasts } from './end-of-grant.ts';
import { useMail } from './grant-mail.ts';
import { type Facts, refusalOf } from './judge-use.ts';
import { type GrantRow, grantsOfLive, isOfLive, lockGrant } from './store.ts';

/** A use of a grant: what for, and of what. */
export interface Use {
  grantId: string;
  /** In the words of the audit: `builds.list`, `build.log`, … */
  what: string;
  /** Any of these scopes opens it. */
  scopes: GrantScope[];
  /** At most one of the two. */
  buildId?: string;
  projectId?: string | undefined;
  /** More for the audit. */
  detail?: Record<string, unknown>;
}

/**
 * Lets the core crew use a grant, or throws what failed. All that it depends on is read in one transaction, and what the
 * team is told, by audit and by mail, is written in the same: content leaves after that or not at all. `alongside` is
 * done in it, too. A refusal is audited with the team whose grant it is.
 */
export async function useGrant<T = undefined>(
  context: ApiContext,
  request: FastifyRequest,
  use: Use,
  alongside?: (transaction: Database, grant: GrantRow) => Promise<T>,
): Promise<{ grant: GrantRow; result: T | undefined }> {
  const outcome = await context.database.transaction().execute(async (transaction) => {
    const inside = { ...context, database: transaction };
    const { keyName, ...facts } = await readFacts(transaction, request, use);
    const { grant } = facts;
    const thing = use.buildId === undefined ? `project ${use.projectId}` : `build ${use.buildId}`;
    const refusal = refusalOf(request.principal, facts, { scopes: use.scopes, thing }, context.now());
    if (refusal || !grant) {
      if (grant && !grantLasts(grant, context.now())) await noteEnd(inside, grant);
      return { refused: { refusal, grant, isThere: facts.project !== undefined } };
    }
    const result = await alongside?.(transaction, grant);
    await tell(inside, request, { use, grant, keyName });
    return { allowed: { grant, result } };
  });
  if (outcome.allowed) return outcome.allowed;
  throw await audited(context, request, use, outcome.refused);
}

async function readFacts(
  transaction: Database,
  request: FastifyRequest,
  use: Use,
): Promise<Facts & { keyName: string }> {
  const grant = await lockGrant(transaction, use.grantId);
  const key = await transaction
    .selectFrom('api_key')
    .select(['name', 'revoked_at'])
    .where('id', '=', request.principal.keyId)
    .executeTakeFirst();
  return {
    grant,
    keyLives: key !== undefined && key.revoked_at === null,
    keyName: key?.name ?? '',
    revoked: !(await isOfLive(transaction, use.grantId)),
    project: await projectOf(transaction, grant?.team_id ?? '', use),
  };
}

async function projectOf(transaction: Database, teamId: string, use: Use): Promise<Facts['project']> {
  if (use.buildId === undefined && use.projectId === undefined) return 'none';
  const projects = transaction
    .selectFrom('project')
    .select(['project.id', 'project.revoking_at'])
    .where('project.team_id', '=', teamId);
  if (use.buildId === undefined)
    return await projects.where('project.id', '=', use.projectId ?? '').executeTakeFirst();
  return await projects
    .innerJoin('build', 'build.project_id', 'project.id')
    .where('build.id', '=', use.buildId)
    .executeTakeFirst();
}

interface Refused {
  refusal: ProblemError | undefined;
  grant: GrantRow | undefined;
  /** Whether what was asked for is a thing of the grant's team. */
  isThere: boolean;
}

/** What the team learns, before anything leaves. */
async function tell(
  context: ApiContext,
  request: FastifyRequest,
  { use, grant, keyName }: { use: Use; grant: GrantRow; keyName: string },
): Promise<void> {
  const now = context.now();
  const subject = use.buildId ?? use.projectId ?? grant.project_id ?? 'the team';
  const mail = useMail({
    ...{ grantId: grant.id, what: use.what, subject, at: now, keyName },
    ...{ keyId: request.principal.keyId, requestId: request.id, publicUrl: context.publicUrl },
  });
  await queueMails(context.database, { teamId: grant.team_id, recipients: grant.notify, ...mail }, now);
  await recordAudit(context, {
    teamId: grant.team_id,
    action: 'access_grant.used',
    actor: request.principal.keyId,
    subject: grant.id,
    detail: {
      ...{ what: use.what, of: subject, key_name: keyName, request_id: request.id },
      ...use.detail,
    },
  });
}

/**
 * The team of the grant is told of what operators tried. Of a grant that does not exist the operators are told, and of a
 * stranger his own team: nobody fills another's trail. What names nothing that there is is recorded as `unknown`.
 */
async function audited(
  context: ApiContext,
  { principal, id: request_id }: FastifyRequest,
  use: Use,
  { refusal, grant, isThere }: Refused,
): Promise<unknown> {
  if (!refusal) return new Error('A use was neither refused nor told.');
  const toldTo = principal.scopes.some(isOperatorScope) ? grant?.team_id : undefined;
  const asked = use.buildId ?? use.projectId ?? null;
  await context.auditRefusal({
    teamId: toldTo ?? principal.teamId,
    action: 'access_grant.refused',
    actor: principal.keyId,
    subject: grant ? grant.id : 'unknown',
    detail: { code: refusal.code, what: use.what, of: isThere ? asked : 'unknown', request_id },
  });
  return refusal;
}

/** Whether an answer that began under a grant may go on, for key and grant: asked before each part of it. */
export function stillGranted(
  context: ApiContext,
  grantId: string,
  principal: Principal,
): () => Promise<boolean> {
  const isOfCrew = stillGood(context, principal, 'core_crew');
  return async () => {
    if (!(await isOfCrew())) return false;
    const row = await grantsOfLive(context.database)
      .select(['access_grant.ends_at', 'ended_at', 'deleted_at'])
      .where('access_grant.id', '=', grantId)
      .executeTakeFirst();
    if (!row) return false;
    if (grantLasts(row, context.now())) return true;
    await context.database.transaction().execute(async (transaction) => {
      const grant = await lockGrant(transaction, grantId);
      if (grant) await noteEnd({ ...context, database: transaction }, grant);
    });
    return false;
  };
}
