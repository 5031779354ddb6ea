import { sql } from 'kysely';
import { Type } from 'typebox';
import { CustodyReport } from '../../contract/custody-event.ts';
import {
  BuildClaim,
  BuildOutcome,
  BuildSpecification,
  HeartbeatReport,
  LeaseVerdict,
  LogAppend,
  MilestoneReport,
  PhaseReport,
  VmCheck,
  VmVerdict,
  WaitReport,
} from '../../contract/runner.ts';
import type { Principal } from '../auth/principal.ts';
import type { Routes } from '../http/app-type.ts';
import { conflict, notFound, ProblemError } from '../http/problem-error.ts';
import { appendLog } from '../logs/append-log.ts';
import { beginPhase } from './begin-phase.ts';
import { endedAmong } from './check-vms.ts';
import { claimBuild } from './claim-build.ts';
import { endAttempt } from './end-attempt.ts';
import { heartbeat } from './heartbeat.ts';
import { recordCustodyEvent } from './record-custody-event.ts';
import { recordMilestone } from './record-milestone.ts';
import { requireAttempt, requireLease } from './require-attempt.ts';
import type { BuildRow } from './state-machine.ts';

const IdParams = Type.Object({ id: Type.String() });
const tags = ['runner'];

/** What a runner calls, with its own token for the claim and the build's token for everything after. */
export const runnerRoutes: Routes = async (app, { context }) => {
  const { database } = context;

  /** The build that the token is for, when what it reports is of the attempt that it is for. */
  const ownBuild = async (principal: Principal, id: string, attempt: number): Promise<BuildRow> => {
    requireOwnAttempt(principal, attempt);
    const row = await database.selectFrom('build').selectAll().where('id', '=', id).executeTakeFirst();
    if (!row) throw notFound('build', id);
    requireLease(row, principal);
    return row;
  };
  app.post(
    '/v1/builds/:id/claim',
    {
      schema: { tags, params: IdParams, body: BuildClaim, response: { 200: BuildSpecification } },
    },
    async ({ principal, params, body: { lease_holder, takes_over, handed_over = false } }) => {
      const taken = takes_over && { from: takes_over, handedOver: handed_over };
      return await claimBuild(context, principal, params.id, lease_holder, taken);
    },
  );

  app.post(
    '/v1/builds/:id/heartbeat',
    {
      schema: { tags, params: IdParams, body: HeartbeatReport, response: { 200: LeaseVerdict } },
    },
    async ({ principal, params, body: { attempt, place } }) => {
      requireOwnAttempt(principal, attempt);
      const { leaseHolder = '' } = principal;
      return { lease: await heartbeat(context, { buildId: params.id, attempt, leaseHolder, place }) };
    },
  );

  app.post(
    '/v1/vm-checks',
    {
      schema: { tags, body: VmCheck, response: { 200: VmVerdict } },
    },
    async ({ body }) => ({ ended: await endedAmong(context, body.vms) }),
  );

  app.post(
    '/v1/builds/:id/milestones',
    { schema: { tags, params: IdParams, body: MilestoneReport } },
    async ({ principal, params, body }, reply) => {
      const row = await ownBuild(principal, params.id, body.attempt);
      await recordMilestone(context, row, body);
      return reply.code(204).send();
    },
  );

  app.post(
    '/v1/builds/:id/waiting',
    { schema: { tags, params: IdParams, body: WaitReport } },
    async (request, reply) => {
      const { attempt, reason } = request.body;
      const row = await ownBuild(request.principal, request.params.id, attempt);
      requireAttempt(row, attempt);
      await database
        .updateTable('build')
        .set({ reason, status_version: sql<number>`status_version + 1` })
        .where('id', '=', row.id)
        .where('attempt', '=', attempt)
        .where('state', '=', 'starting')
        .where('cancel_requested', '=', false)
        .execute();
      await context.queue.announce(row.id).catch(() => undefined);
      return reply.code(204).send();
    },
  );

  app.post(
    '/v1/builds/:id/phase',
    { schema: { tags, params: IdParams, body: PhaseReport } },
    async (request, reply) => {
      const { attempt, phase } = request.body;
      const row = await ownBuild(request.principal, request.params.id, attempt);
      requireAttempt(row, attempt);
      await beginPhase(context, row, phase);
      return reply.code(204).send();
    },
  );

  app.post(
    '/v1/builds/:id/custody-events',
    { bodyLimit: 16 * 1024, schema: { tags, params: IdParams, body: CustodyReport } },
    async ({ principal, params, body }, reply) => {
      const build = await ownBuild(principal, params.id, body.attempt);
      await recordCustodyEvent(context, build, principal, body);
      return reply.code(204).send();
    },
  );

  app.post(
    '/v1/builds/:id/finish',
    { schema: { tags, params: IdParams, body: BuildOutcome } },
    async (request, reply) => {
      const row = await ownBuild(request.principal, request.params.id, request.body.attempt);
      if (!(await endAttempt(context, row, request.body))) {
        throw conflict(
          'already_over',
          `The build is ${row.state} at attempt ${row.attempt}; this report is too late.`,
        );
      }
      return reply.code(204).send();
    },
  );

  await app.register(async (raw) => {
    raw.removeAllContentTypeParsers();
    const asBuffer = { parseAs: 'buffer' as const, bodyLimit: 1024 * 1024 };
    raw.addContentTypeParser('application/octet-stream', asBuffer, (_request, body, done) =>
      done(null, body),
    );
    raw.post<{ Params: { id: string }; Querystring: LogAppend }>(
      '/v1/builds/:id/log',
      {
        schema: {
          tags,
          params: IdParams,
          querystring: LogAppend,
        },
      },
      async (request, reply) => {
        const { principal } = request;
        const row = await ownBuild(principal, request.params.id, request.query.attempt);
        await appendLog(
          context,
          row,
          { ...request.query, leaseHolder: principal.leaseHolder },
          request.body as Buffer,
        );
        return reply.code(204).send();
      },
    );
  });
};

function requireOwnAttempt(principal: Principal, attempt: number): void {
  if (principal.attempt !== attempt)
    throw new ProblemError(403, 'wrong_attempt', 'The token is for another attempt of this build.');
}
