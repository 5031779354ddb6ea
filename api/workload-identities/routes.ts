import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { Type } from 'typebox';
import { Page, PageQuery } from '../../contract/page.ts';
import type { Scope } from '../../contract/token.ts';
import { isLoopback } from '../../contract/transport-security.ts';
import { type WorkloadIdentity, workloadIdentity } from '../../contract/workload-identity.ts';
import { changedFields } from '../audit/changed-fields.ts';
import { recordAudit } from '../audit/record-audit.ts';
import { insertApiKey } from '../auth/api-key.ts';
import { requireHeld } from '../auth/held-scopes.ts';
import { lockPrincipal } from '../auth/lock-principal.ts';
import type { Principal } from '../auth/principal.ts';
import { projectOfList, requireProject, requireTeamToken } from '../auth/require-scope.ts';
import type { Database } from '../db/database.ts';
import { newId } from '../db/new-id.ts';
import { transact } from '../db/transact.ts';
import type { Routes } from '../http/app-type.ts';
import { requireMatch, sendRepresentation } from '../http/etag.ts';
import { howToImport } from '../http/how-to-import.ts';
import { once } from '../http/idempotency.ts';
import { applyPatch } from '../http/merge-patch.ts';
import { splitNaturalId } from '../http/natural-id.ts';
import { pageOf, pageRequest } from '../http/page.ts';
import { conflict, invalidField, notFound } from '../http/problem-error.ts';
import { lockLiveProject, noLiveProject } from '../projects/lock-live-project.ts';
import { endInvitationsBy } from '../teams/invitation-store.ts';
import { teamName } from '../teams/team-name.ts';
import {
  deleteWorkloadIdentity,
  endKey,
  findWorkloadIdentity,
  insertWorkloadIdentity,
  listWorkloadIdentities,
  toWorkloadIdentity,
  updateWorkloadIdentity,
} from './store.ts';

const IdParams = Type.Object({ id: Type.String() });
const tags = ['workload identities'];

export const workloadIdentityRoutes: Routes = async (app, { context }) => {
  const { database } = context;

  const find = async (principal: Principal, id: string) => {
    const row = await findWorkloadIdentity(database, principal.teamId, id);
    if (!row) throw notFound('workload identity', id);
    if (row.project_id === null) requireTeamToken(principal);
    else requireProject(principal, row.project_id);
    return row;
  };

  app.post(
    '/v1/workload-identities',
    {
      schema: { tags, body: workloadIdentity.creation, response: { 201: workloadIdentity.representation } },
    },
    async (request, reply) =>
      await once(context, request, reply, async () => {
        const { principal, body } = request;
        const { name, project_id, issuer, audience, claims, scopes } = body;
        if (project_id === undefined) requireTeamToken(principal);
        else requireProject(principal, project_id);
        requireGoodTrust({ issuer, claims });
        const id = newId('wid');
        const now = context.now();
        await transact(context, async (inside) => {
          if (project_id !== undefined) {
            const live = await lockLiveProject(inside.database, project_id);
            if (live?.team_id !== principal.teamId) throw noLiveProject(project_id);
          }
          requireHeld(await lockPrincipal(inside, principal), scopes);
          const keyId = await makeKey(inside.database, principal, { name, scopes, now });
          const row = { id, api_key_id: keyId, team_id: principal.teamId, name, created_at: now };
          const trust = { project_id: project_id ?? null, issuer, audience, claims };
          if (!(await insertWorkloadIdentity(inside.database, { ...row, ...trust })))
            throw nameTaken(await teamName(inside.database, principal.teamId), name);
          const detail = { name, issuer, audience, claims, scopes, key: keyId };
          await recordAudit(inside, entry('workload_identity.created', principal, id, detail));
        });
        return toWorkloadIdentity(await find(principal, id));
      }),
  );

  app.get(
    '/v1/workload-identities',
    {
      schema: { tags, querystring: PageQuery, response: { 200: Page(workloadIdentity.representation) } },
    },
    async ({ query, principal }) => {
      const page = pageRequest(query);
      const natural = splitNaturalId(query.natural_id, ['team', 'name']);
      const projectId = projectOfList(principal, query.project_id);
      const rows = await listWorkloadIdentities(database, principal.teamId, page, { natural, projectId });
      return pageOf(rows, page, toWorkloadIdentity);
    },
  );

  app.get(
    '/v1/workload-identities/:id',
    {
      schema: { tags, params: IdParams, response: { 200: workloadIdentity.representation } },
    },
    async ({ principal, params }, reply) => {
      const row = await find(principal, params.id);
      return sendRepresentation(reply, toWorkloadIdentity(row), row.version);
    },
  );

  app.patch(
    '/v1/workload-identities/:id',
    {
      schema: {
        ...{ tags, params: IdParams, body: workloadIdentity.change },
        response: { 200: workloadIdentity.representation },
      },
    },
    async (request, reply) => {
      const { principal } = request;
      const row = await find(principal, request.params.id);
      const before = toWorkloadIdentity(row);
      requireMatch(request, before, row.version);
      const after = applyPatch(workloadIdentity.changeable, before, request.body);
      requireGoodTrust(after);
      const { issuer, audience, claims, scopes } = after;
      await transact(context, async (inside) => {
        requireHeld(await lockPrincipal(inside, principal), scopes);
        // Tokens that were got by another trust end with its key.
        const isTrustKept = isDeepStrictEqual(
          [issuer, audience, claims],
          [row.issuer, row.audience, row.claims],
        );
        const made = { name: row.name, scopes, now: context.now() };
        const api_key_id = isTrustKept ? row.api_key_id : await makeKey(inside.database, principal, made);
        const next = { ...row, issuer, audience, claims, scopes, api_key_id };
        if (!(await updateWorkloadIdentity(inside.database, next))) throw changedMeanwhile();
        if (!isTrustKept) await endKey(inside.database, row.api_key_id, context.now());
        // Nobody joins by what it might not give any more.
        if (row.scopes.some((scope) => !scopes.includes(scope as (typeof scopes)[number])))
          await endInvitationsBy(inside.database, row.api_key_id, context.now());
        const detail = {
          ...{ name: row.name, changed: changedFields(before, after) },
          ...{ issuer, audience, claims, scopes },
        };
        await recordAudit(inside, entry('workload_identity.changed', principal, row.id, detail));
      });
      const changed = await find(principal, row.id);
      return sendRepresentation(reply, toWorkloadIdentity(changed), changed.version);
    },
  );

  app.delete(
    '/v1/workload-identities/:id',
    { schema: { tags, params: IdParams } },
    async ({ principal, params }, reply) => {
      const row = await find(principal, params.id);
      await transact(context, async (inside) => {
        if (!(await deleteWorkloadIdentity(inside.database, row, context.now()))) return;
        await recordAudit(inside, entry('workload_identity.deleted', principal, row.id, { name: row.name }));
      });
      return reply.code(204).send();
    },
  );
};

/** Gives the id of a key of random bytes that nobody sees: nothing can be shown that has its hash. */
async function makeKey(
  database: Database,
  { teamId, keyId: createdBy }: Principal,
  { name, ...more }: { name: string; scopes: Scope[]; now: Date },
): Promise<string> {
  const key = { teamId, kind: 'workload', name: `workload identity ${name}`, createdBy, ...more } as const;
  return await insertApiKey(database, key, randomBytes(32));
}

// What everybody's token of the issuer has, or may ask for.
const everybodys = new Set(['iss', 'aud', 'exp', 'iat', 'nbf', 'jti']);

/** Throws 422 for a trust in everybody at the issuer. */
function requireGoodTrust({ issuer, claims }: Pick<WorkloadIdentity, 'issuer' | 'claims'>): void {
  if (!URL.canParse(issuer))
    throw invalidField('issuer', `issuer is ${issuer}, which is no URL. Write it as the claim iss has it.`);
  const { protocol, hostname } = new URL(issuer);
  if (protocol !== 'https:' && !isLoopback(hostname))
    throw invalidField('issuer', `issuer is asked for its keys at ${hostname} without TLS. Use https://.`);
  const tellsWho = ([name, value]: [string, string]) => !everybodys.has(name) && /[^*]/.test(value);
  if (!Object.entries(claims).some(tellsWho)) {
    const detail =
      'claims must hold at least one claim that tells who it is, whose value is more than *: whoever gets a token of the issuer would be trusted. Add sub, say.';
    throw invalidField('claims', detail);
  }
}

function entry(action: string, { teamId, keyId }: Principal, subject: string, detail: object) {
  return { teamId, action, actor: keyId, subject, detail: detail as Record<string, unknown> };
}

function nameTaken(team: string, name: string) {
  const how = howToImport(workloadIdentity, team, { name });
  const detail = `The team has a workload identity ${name} already. ${how} or choose another name.`;
  return conflict('name_taken', detail, 'name');
}

function changedMeanwhile() {
  return conflict('changed_meanwhile', 'It was changed at the same moment. Read it again.');
}
