import { Type } from 'typebox';
import { findKey } from '../auth/find-key.ts';
import type { Routes } from '../http/app-type.ts';
import { withinTime } from '../within-time.ts';

const tags = ['health'];
const Health = Type.Object({ status: Type.Literal('ok') });
const Readiness = Type.Object({ database: Type.Boolean(), queue: Type.Boolean() });
const probeTimeoutMs = 2_000;

export const healthRoutes: Routes = async (app, { context }) => {
  app.get(
    '/v1/health',
    { schema: { tags, security: [], response: { 200: Health } } },
    async () => ({ status: 'ok' }) as const,
  );

  app.get(
    '/v1/ready',
    {
      schema: {
        tags,
        security: [],
        response: { 200: Readiness, 503: Readiness },
      },
    },
    async (_request, reply) => {
      const [database, queue] = await Promise.all([
        // Asked for as each request's key is, so that a process that can let nobody in is not ready.
        answers(() => findKey(context, { keyId: 'nobody' })),
        answers(() => context.queue.ping()),
      ]);
      return reply.code(database && queue ? 200 : 503).send({ database, queue });
    },
  );
};

async function answers(probe: () => Promise<unknown>): Promise<boolean> {
  return (
    (await withinTime(
      probe().then(() => true),
      probeTimeoutMs,
    )) ?? false
  );
}
