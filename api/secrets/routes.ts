import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';
import { Page, PageQuery } from '../../contract/page.ts';
import { type Secret, secret } from '../../contract/secret.ts';
import { changedFields } from '../audit/changed-fields.ts';
import { type Audited, recordAudit } from '../audit/record-audit.ts';
import type { Principal } from '../auth/principal.ts';
import { projectOfList, requireProject } from '../auth/require-scope.ts';
import { newId } from '../db/new-id.ts';
import { transact } from '../db/transact.ts';
import type { Routes } from '../http/app-type.ts';
import { requireMatch, sendRepresentation } from '../http/etag.ts';
import { howToImport } from '../http/how-to-import.ts';
import { once } from '../http/idempotency.ts';
import { applyPatch } from '../http/merge-patch.ts';
import { splitNaturalId } from '../http/natural-id.ts';
import { pageOf, pageRequest } from '../http/page.ts';
import { conflict, notFound, type ProblemError } from '../http/problem-error.ts';
import { checkEnvironmentName } from '../projects/environment-names.ts';
import { noLiveProject } from '../projects/lock-live-project.ts';
import { findProject, type ProjectRow } from '../projects/store.ts';
import {
  deleteSecret,
  findSecret,
  insertSecret,
  listSecrets,
  type SecretRow,
  toSecret,
  updateSecret,
} from './store.ts';

const IdParams = Type.Object({ id: Type.String() });
const tags = ['secrets'];

export const secretRoutes: Routes = async (app, { context }) => {
  const { database } = context;

  const find = async (principal: Principal, id: string) => {
    const row = await findSecret(database, principal.teamId, id);
    if (!row) throw notFound('secret', id);
    requireProject(principal, row.project_id);
    return row;
  };

  /** Seals a value to its project; the plaintext is wiped here. */
  const seal = async (principal: Principal, projectId: string, name: string, value: string) => {
    requireProject(principal, projectId);
    const project = await findProject(database, principal.teamId, projectId);
    if (!project || project.revoking_at) throw noLiveProject(projectId);
    const plaintext = Buffer.from(value);
    try {
      const to = { publicKey: project.public_key, projectId, purpose: `secret:${name}` } as const;
      return { sealed_value: await context.custody.seal(plaintext, to), sealedTo: project.public_key };
    } finally {
      plaintext.fill(0);
    }
  };

  app.post(
    '/v1/secrets',
    { schema: { tags, body: secret.creation, response: { 201: secret.representation } } },
    async (request, reply) =>
      await once(context, request, reply, async () => {
        const { project_id, name, phases = [], value } = request.body;
        checkEnvironmentName(name, 'name');
        const row = { id: newId('sec'), project_id, name, phases, created_at: context.now() };
        const store = async () => {
          const { sealed_value, sealedTo } = await seal(request.principal, project_id, name, value);
          return await transact(context, async (inside) => {
            const result = await insertSecret(inside.database, { ...row, sealed_value }, sealedTo);
            if (result === 'made')
              await recordAudit(inside, secretEntry('secret.created', request.principal, row));
            return result;
          });
        };
        let result = await store();
        if (result === 'key_rotated') result = await store();
        if (result === 'key_rotated')
          throw conflict(
            'changed_meanwhile',
            "The project's key pair was rotated at the same moment. Try again.",
          );
        if (result === 'project_revoked') throw noLiveProject(project_id);
        if (result === 'name_taken')
          throw nameTaken(await findProject(database, request.principal.teamId, project_id), name);
        return toSecret(await find(request.principal, row.id));
      }),
  );

  app.get(
    '/v1/secrets',
    {
      schema: { tags, querystring: PageQuery, response: { 200: Page(secret.representation) } },
    },
    async (request) => {
      const page = pageRequest(request.query);
      const natural = splitNaturalId(request.query.natural_id, ['team', 'project', 'name']);
      const projectId = projectOfList(request.principal, request.query.project_id);
      const rows = await listSecrets(database, request.principal.teamId, page, { natural, projectId });
      return pageOf(rows, page, toSecret);
    },
  );

  app.get(
    '/v1/secrets/:id',
    { schema: { tags, params: IdParams, response: { 200: secret.representation } } },
    async (request, reply) => sendSecret(reply, await find(request.principal, request.params.id)),
  );

  app.patch(
    '/v1/secrets/:id',
    {
      schema: { tags, params: IdParams, body: secret.change, response: { 200: secret.representation } },
    },
    async (request, reply) => {
      const row = await find(request.principal, request.params.id);
      requireMatch(request, toSecret(row), row.version);
      const { value } = request.body as { value?: string | null };
      const { phases } = applyPatch(secret.changeable, toSecret(row), request.body);
      // After the row was read: when a rotation comes in between, the version is another and nothing is written.
      const { sealed_value } = value ? await seal(request.principal, row.project_id, row.name, value) : row;
      const changed = changedFields({ phases: row.phases }, { phases });
      await transact(context, async (inside) => {
        const next = { id: row.id, phases, sealed_value, version: row.version };
        if (!(await updateSecret(inside.database, next))) throw changedMeanwhile();
        const entry = secretEntry('secret.changed', request.principal, row);
        const detail = { ...entry.detail, changed: [...changed, ...(value ? ['value'] : [])] };
        await recordAudit(inside, { ...entry, detail });
      });
      return sendSecret(reply, await find(request.principal, row.id));
    },
  );

  app.delete('/v1/secrets/:id', { schema: { tags, params: IdParams } }, async (request, reply) => {
    const row = await find(request.principal, request.params.id);
    await transact(context, async (inside) => {
      if (await deleteSecret(inside.database, row.id))
        await recordAudit(inside, secretEntry('secret.deleted', request.principal, row));
    });
    return reply.code(204).send();
  });
};

/** The ETag covers the value, which is not shown: who changes it must know that it is still the one he read of. */
function sendSecret(reply: FastifyReply, row: SecretRow): Secret {
  return sendRepresentation(reply, toSecret(row), row.version);
}

/** Of the value it says nothing. */
function secretEntry(
  action: string,
  { teamId, keyId }: Principal,
  { id, name, project_id }: Pick<SecretRow, 'id' | 'name' | 'project_id'>,
): Audited {
  return { teamId, action, actor: keyId, subject: id, detail: { name, project: project_id } };
}

function nameTaken(project: ProjectRow | undefined, name: string): ProblemError {
  if (!project) return conflict('project_revoked', 'The project is being revoked.', 'project_id');
  const how = howToImport(secret, project.team, { project: project.name, name });
  const detail = `The project has a secret ${name} already. ${how} or choose another name.`;
  return conflict('name_taken', detail, 'name');
}

function changedMeanwhile(): ProblemError {
  return conflict('changed_meanwhile', 'The secret was changed at the same moment. Read it again.');
}
