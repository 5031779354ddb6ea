import { createHash } from 'node:crypto';
import { Type } from 'typebox';
import type { Routes } from '../http/app-type.ts';
import { notFound, ProblemError } from '../http/problem-error.ts';
import { isRefusal, type WebhookRefusal } from '../source-hosts/source-host.ts';
import { acceptEvent } from './accept-push.ts';
import { findHook } from './find-hook.ts';

const refusalStatus: Record<WebhookRefusal['code'], number> = {
  signature_missing: 401,
  signature_invalid: 401,
  too_large: 413,
  malformed: 400,
};

/** Where source hosts post. The signature is the only credential, over the raw bytes of the body. */
export const hookRoutes: Routes = async (app, { context }) => {
  await app.register(async (raw) => {
    raw.removeAllContentTypeParsers();
    raw.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: 1024 * 1024 }, (_request, body, done) =>
      done(null, body),
    );
    raw.post<{ Params: { id: string } }>(
      '/v1/hooks/:id',
      {
        schema: { tags: ['hooks'], params: Type.Object({ id: Type.String() }), summary: 'Deliver a webhook' },
      },
      async (request, reply) => {
        if (request.headers['content-encoding']) {
          throw new ProblemError(415, 'encoding_not_supported', 'Send the body without Content-Encoding.');
        }
        const hook = await findHook(context, request.params.id);
        if (!hook) throw notFound('hook', request.params.id);
        const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
        const secret = context.custody.hookSecret(hook.id);
        const event = hook.host.parseWebhook({ headers: request.headers, body, secret });
        secret.fill(0);
        if (isRefusal(event)) throw new ProblemError(refusalStatus[event.code], event.code, event.message);
        if (event.repository !== hook.repository) {
          throw new ProblemError(
            403,
            'wrong_repository',
            `This hook is for ${hook.repository}, not for ${event.repository}.`,
          );
        }
        const digest = createHash('sha256').update(body).digest();
        return reply.code(202).send(await acceptEvent(context, hook, event, digest));
      },
    );
  });
};
