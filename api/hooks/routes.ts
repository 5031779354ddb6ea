import { hash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyError, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { Routes } from '../http/app-type.ts';
import { notFound, ProblemError } from '../http/problem-error.ts';
import { isRefusal, type WebhookEvent, type WebhookRefusal } from '../source-hosts/webhook-event.ts';
import { createDeliveryStore, type Storing } from './delivery-store.ts';
import { createHookFacts, type HookFacts } from './hook-facts.ts';
import { processDeliveries } from './process-deliveries.ts';

// GitHub sends nothing larger: https://docs.github.com/en/webhooks/webhook-events-and-payloads#payload-cap
const maxBodyBytes = 25 * 1024 * 1024;

// Senders wait for their answer, builds can wait: in a burst no more than four deliveries a second are dealt with.
const pauseMs = 250;
const pollMs = 1_000;

const refusalStatus: Record<WebhookRefusal['code'], number> = {
  signature_missing: 401,
  signature_invalid: 401,
  too_large: 413,
  malformed: 400,
};

/**
 * Where source hosts post. The signature is the only credential, over the raw bytes of the body. A delivery is answered
 * when it is stored; what it starts is started afterwards.
 */
export const hookRoutes: Routes = async (app, { context }) => {
  const findFacts = createHookFacts(context);
  const turn = async () => {
    if (deliveries.isBusy()) await delay(pauseMs);
  };
  const work = () => processDeliveries(context, context.stopping, turn);
  const waker = createWaker(work, context.log);
  const deliveries = createDeliveryStore(context, waker.wake);
  // Also what another process took and did not get to.
  const timer = setInterval(waker.wake, pollMs).unref();
  app.addHook('onClose', async () => {
    clearInterval(timer);
    await waker.idle();
  });

  const refuse = async (facts: HookFacts, problem: ProblemError) => {
    const { id: subject, teamId } = facts;
    const detail = { code: problem.code, reason: problem.message };
    await context.auditRefusal({ teamId, action: 'webhook.refused', actor: 'source host', subject, detail });
    return problem;
  };

  const read = async (facts: HookFacts, { headers, body }: FastifyRequest): Promise<WebhookEvent> => {
    const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0);
    const secret = context.custody.hookSecret(facts.id);
    const event = facts.kind.parseWebhook({ headers, body: bytes, secret });
    secret.fill(0);
    if (isRefusal(event))
      throw await refuse(facts, new ProblemError(refusalStatus[event.code], event.code, event.message));
    if (isOfAnother(facts, event)) {
      const detail = `This hook is for ${facts.repository}, not for ${event.repository}.`;
      throw await refuse(facts, new ProblemError(403, 'wrong_repository', detail));
    }
    return event;
  };

  await app.register(async (raw) => {
    raw.removeAllContentTypeParsers();
    raw.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: maxBodyBytes }, (_request, body, done) =>
      done(null, body),
    );
    raw.setErrorHandler<FastifyError>(async (error, request) => {
      const facts = await findFacts((request.params as { id: string }).id);
      if (!facts || error.code !== 'FST_ERR_CTP_BODY_TOO_LARGE') throw error;
      const detail = `The body is larger than ${maxBodyBytes / 1024 / 1024} MiB.`;
      throw await refuse(facts, new ProblemError(413, 'body_too_large', detail));
    });
    raw.post<{ Params: { id: string } }>(
      '/v1/hooks/:id',
      {
        // What is accepted stands in the database, what is refused in the audit.
        logLevel: 'warn',
        schema: {
          ...{ tags: ['hooks'], security: [], params: Type.Object({ id: Type.String() }) },
          ...{ response: { 202: Acceptance } },
        },
        // Before the body is read: it costs nobody memory that there is no hook for it.
        onRequest: async ({ headers, params }) => {
          const facts = await findFacts(params.id);
          if (!facts) throw notFound('hook', params.id);
          if (headers['content-encoding']) {
            const detail = 'Send the body without Content-Encoding.';
            throw await refuse(facts, new ProblemError(415, 'encoding_not_supported', detail));
          }
        },
      },
      async (request, reply) => {
        const facts = await findFacts(request.params.id);
        if (!facts) throw notFound('hook', request.params.id);
        const event = await read(facts, request);
        const digest = hash('sha256', request.body as Buffer);
        const storing = await deliveries.store({ hookId: facts.id, event, digest });
        if (storing === 'gone') throw notFound('hook', request.params.id);
        if (storing === 'replayed') throw await refuse(facts, replayed(event));
        return reply.code(202).send({ status: statuses[storing], delivery: event.delivery });
      },
    );
  });
};

const Acceptance = Type.Object({
  status: Type.Enum(['accepted', 'received_before']),
  delivery: Type.String({ description: "The source host's id of the delivery." }),
});

const statuses = {
  stored: 'accepted',
  duplicate: 'received_before',
} as const satisfies Record<Exclude<Storing, 'gone' | 'replayed'>, string>;

/** Under its new name a repository is still the same. */
function isOfAnother({ repository, repositoryId }: HookFacts, event: WebhookEvent): boolean {
  if (repositoryId !== undefined && event.repositoryId !== undefined) {
    return event.repositoryId !== repositoryId;
  }
  return event.repository.toLowerCase() !== repository.toLowerCase();
}

function replayed({ delivery }: WebhookEvent): ProblemError {
  const detail = `The delivery ${delivery} came before under another id or with another body; it starts nothing again.`;
  return new ProblemError(409, 'delivery_replayed', detail);
}

/** Runs `work` when woken, once more when woken meanwhile, never twice at once. */
function createWaker(work: () => Promise<void>, log: { warn(fields: object, message: string): void }) {
  let running: Promise<void> | undefined;
  let again = false;
  const run = async () => {
    do {
      again = false;
      // What fails now is tried again by the processor in the background.
      await work().catch((error) => log.warn({ error: String(error) }, 'deliveries wait'));
    } while (again);
    running = undefined;
  };
  return {
    wake() {
      again = true;
      running ??= run();
    },
    idle: async () => await running,
  };
}
