import { Type } from 'typebox';
import { KeyEncryption, WrappedKeyChange, WrappedKeys } from '../../contract/key-encryption.ts';
import type { Routes } from '../http/app-type.ts';
import { pageOf, pageRequest } from '../http/page.ts';
import { conflict, notFound } from '../http/problem-error.ts';
import { lastKeyEncryptionRotation } from './key-encryption-rotation.ts';
import { requireWrappingKey } from './require-wrapping-key.ts';
import { countByWrappingKey, releaseKeysOfOthers, swapWrappedKey } from './wrapped-key-store.ts';

const tags = ['runner'];
const Query = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 })),
  cursor: Type.Optional(Type.String({ maxLength: 200 })),
});

/** What runners need to wrap keys anew, and operators to see how far they are. */
export const keyEncryptionRoutes: Routes = async (app, { context }) => {
  const { database } = context;

  app.get('/v1/key-encryption', { schema: { tags, response: { 200: KeyEncryption } } }, async () => {
    const last = await lastKeyEncryptionRotation(database);
    if (!last) throw notFound('rotation of', context.custody.wrappingKey);
    const keys = await countByWrappingKey(database);
    const others = keys.filter(({ wrapping_key }) => wrapping_key !== last.wrapping_key);
    return {
      wrapping_key: last.wrapping_key,
      began_at: last.began_at.toISOString(),
      finished_at: last.finished_at?.toISOString() ?? null,
      remaining: others.reduce((sum, { projects }) => sum + projects, 0),
      keys,
    };
  });

  app.get(
    '/v1/wrapped-keys',
    { schema: { tags, querystring: Query, response: { 200: WrappedKeys } } },
    async ({ principal, query }) => {
      const page = pageRequest(query);
      const rows = await releaseKeysOfOthers(context, principal.keyId, page);
      const shown = pageOf(rows, page, ({ id, wrapped_private_key }) => ({
        project_id: id,
        wrapped_private_key,
      }));
      return { ...shown, wrapping_key: context.custody.wrappingKey };
    },
  );

  app.put(
    '/v1/wrapped-keys/:id',
    { schema: { tags, params: Type.Object({ id: Type.String() }), body: WrappedKeyChange } },
    async ({ params, body }, reply) => {
      requireWrappingKey(context, body.to, 'to');
      if (await swapWrappedKey(context, params.id, body)) return reply.code(204).send();
      throw conflict(
        'changed_meanwhile',
        'The key of the project is another one by now, or the project is being revoked.',
        'from',
      );
    },
  );
};
