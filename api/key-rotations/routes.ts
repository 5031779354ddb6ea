import { Type } from 'typebox';
import {
  KeyRotation,
  KeyRotationFailure,
  KeyRotationResult,
  KeyRotationTask,
  WaitingKeyRotations,
} from '../../contract/key-rotation.ts';
import type { Principal } from '../auth/principal.ts';
import { requireProject } from '../auth/require-scope.ts';
import type { Routes } from '../http/app-type.ts';
import { pageOf, pageRequest } from '../http/page.ts';
import { conflict, notFound } from '../http/problem-error.ts';
import { findProject } from '../projects/store.ts';
import { failKeyRotation, finishKeyRotation } from './finish-key-rotation.ts';
import {
  findKeyRotation,
  releaseTask,
  requestKeyRotation,
  toKeyRotation,
  waitingRotations,
} from './key-rotation-store.ts';

const IdParams = Type.Object({ id: Type.String() });
const Query = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 })),
  cursor: Type.Optional(Type.String({ maxLength: 200 })),
});
// All secrets of a project at once, each up to 64 KiB.
const resultLimit = 64 * 1024 * 1024;

/** Rotation of projects' key pairs: teams ask for it, runners do it. */
export const keyRotationRoutes: Routes = async (app, { context }) => {
  const { database } = context;

  const find = async (principal: Principal, id: string) => {
    requireProject(principal, id);
    const row = await findProject(database, principal.teamId, id);
    if (!row) throw notFound('project', id);
    return row;
  };

  app.post(
    '/v1/projects/:id/key-rotations',
    {
      schema: { tags: ['projects'], params: IdParams, response: { 202: KeyRotation } },
    },
    async ({ principal, params }, reply) => {
      const { id } = await find(principal, params.id);
      const row = await requestKeyRotation(context, id, principal.keyId);
      return reply
        .code(202)
        .header('location', `/v1/projects/${id}/key-rotations/${row.id}`)
        .send(toKeyRotation(row));
    },
  );

  app.get(
    '/v1/projects/:id/key-rotations/:rotation',
    {
      schema: {
        tags: ['projects'],
        params: Type.Object({ id: Type.String(), rotation: Type.String() }),
        response: { 200: KeyRotation },
      },
    },
    async ({ principal, params }) => {
      const { id } = await find(principal, params.id);
      const row = await findKeyRotation(database, params.rotation);
      if (row?.project_id !== id) throw notFound('key rotation', params.rotation);
      return toKeyRotation(row);
    },
  );

  const tags = ['runner'];

  app.get(
    '/v1/key-rotations',
    { schema: { tags, querystring: Query, response: { 200: WaitingKeyRotations } } },
    async ({ query }) => {
      const page = pageRequest(query);
      const waiting = pageOf(await waitingRotations(database, page), page, (row) => row);
      return { ...waiting, wrapping_key: context.custody.wrappingKey };
    },
  );

  app.get(
    '/v1/key-rotations/:id/task',
    { schema: { tags, params: IdParams, response: { 200: KeyRotationTask } } },
    async ({ principal, params }) => {
      const row = await findKeyRotation(database, params.id);
      if (!row) throw notFound('key rotation', params.id);
      const task = row.state === 'waiting' ? await releaseTask(context, row, principal.keyId) : undefined;
      if (task) return task;
      throw conflict('not_waiting', 'The rotation is over, or its project is being revoked.');
    },
  );

  app.post(
    '/v1/key-rotations/:id/result',
    { bodyLimit: resultLimit, schema: { tags, params: IdParams, body: KeyRotationResult } },
    async ({ params, body }, reply) => {
      await finishKeyRotation(context, params.id, body);
      return reply.code(204).send();
    },
  );

  app.post(
    '/v1/key-rotations/:id/failure',
    { schema: { tags, params: IdParams, body: KeyRotationFailure } },
    async ({ params, body }, reply) => {
      await failKeyRotation(context, params.id, body.reason);
      return reply.code(204).send();
    },
  );
};
