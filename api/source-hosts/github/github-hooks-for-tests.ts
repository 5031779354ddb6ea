import { createHmac, randomUUID } from 'node:crypto';
import {
  basePath,
  type Delivery,
  example,
  fail,
  type GithubRepository,
  type GithubRoutes,
  type Hook,
  needs,
  page,
  paramsOf,
  repo,
  send200,
} from './github-state-for-tests.ts';

export type Attempt = Pick<Delivery, 'guid' | 'event' | 'body' | 'redelivery'>;

/** Hooks and the log of their deliveries. */
export function addHooks(
  { app, github, nextId, of, toPayload }: GithubRoutes,
  attempt: (repository: GithubRepository, hook: Hook, attempt: Attempt) => Promise<void>,
): void {
  const toHook = (repository: GithubRepository, hook: Hook) => {
    const self = `${github.url}${basePath}/repos/${repository.name}/hooks/${hook.id}`;
    return {
      ...example('hook'),
      ...hook,
      config: { ...hook.config, ...(hook.config.secret === undefined ? {} : { secret: '********' }) },
      ...{ url: self, test_url: `${self}/test`, ping_url: `${self}/pings` },
      deliveries_url: `${self}/deliveries`,
    };
  };
  app.get(`${repo}/hooks`, needs('repository_hooks', 'read'), (request, reply) => {
    const repository = of(request);
    return send200(
      reply,
      request,
      page(
        request,
        [...repository.hooks.values()].map((hook) => toHook(repository, hook)),
      ),
    );
  });
  app.post(`${repo}/hooks`, needs('repository_hooks', 'write'), async (request, reply) => {
    const repository = of(request);
    const { active, events, config } = request.body as Hook;
    if (repository.archived) return fail(reply, 403, 'Repository was archived so is read-only.');
    if ([...repository.hooks.values()].some((hook) => hook.config.url === config.url))
      return fail(reply, 422, 'Validation Failed', 'Hook already exists on this repository');
    const hook = { id: nextId(), active, events, config };
    repository.hooks.set(hook.id, hook);
    const ping = { zen: 'Design for failure.', hook_id: hook.id, hook: toHook(repository, hook) };
    const body = Buffer.from(JSON.stringify({ ...ping, repository: toPayload(repository) }));
    attempt(repository, hook, { guid: randomUUID(), event: 'ping', body, redelivery: false }).catch(() => {});
    return reply.code(201).send(toHook(repository, hook));
  });
  app.get(`${repo}/hooks/:hook_id`, needs('repository_hooks', 'read'), (request, reply) => {
    const repository = of(request);
    const hook = repository.hooks.get(Number(paramsOf(request).hook_id));
    return hook ? send200(reply, request, toHook(repository, hook)) : fail(reply, 404, 'Not Found');
  });
  app.patch(`${repo}/hooks/:hook_id`, needs('repository_hooks', 'write'), async (request, reply) => {
    const repository = of(request);
    const hook = repository.hooks.get(Number(paramsOf(request).hook_id));
    if (!hook) return fail(reply, 404, 'Not Found');
    Object.assign(hook, request.body);
    return toHook(repository, hook);
  });
  app.delete(`${repo}/hooks/:hook_id`, needs('repository_hooks', 'write'), async (request, reply) => {
    return of(request).hooks.delete(Number(paramsOf(request).hook_id))
      ? reply.code(204).send()
      : fail(reply, 404, 'Not Found');
  });
  app.get(`${repo}/hooks/:hook_id/deliveries`, needs('repository_hooks', 'read'), (request, reply) => {
    const repository = of(request);
    const hook = repository.hooks.get(Number(paramsOf(request).hook_id));
    if (!hook) return fail(reply, 404, 'Not Found');
    const found = repository.deliveries.get(hook.id) ?? [];
    const { per_page = '30', cursor = '0' } = request.query as Record<string, string>;
    const from = Number(cursor);
    const until = from + Number(per_page);
    if (until < found.length) {
      const next = `${github.url}${request.url.split('?')[0]}?per_page=${per_page}&cursor=${until}`;
      reply.header('link', `<${next}>; rel="next"`);
    }
    return send200(
      reply,
      request,
      found.slice(from, until).map(({ body: _, ...delivery }) => ({
        ...delivery,
        ...{ duration: 0.1, status: delivery.status_code === 200 ? 'OK' : 'answered', action: null },
        ...{ installation_id: null, repository_id: repository.id, throttled_at: null },
      })),
    );
  });
  app.post(
    `${repo}/hooks/:hook_id/deliveries/:delivery_id/attempts`,
    needs('repository_hooks', 'write'),
    async (request, reply) => {
      const repository = of(request);
      const hook = repository.hooks.get(Number(paramsOf(request).hook_id));
      const id = Number(paramsOf(request).delivery_id);
      const delivery = repository.deliveries.get(hook?.id ?? 0)?.find((one) => one.id === id);
      if (!hook || !delivery) return fail(reply, 404, 'Not Found');
      attempt(repository, hook, { ...delivery, redelivery: true }).catch(() => {});
      return reply.code(202).send({});
    },
  );
}
/** Posts as GitHub does; gives the status, 502 when nobody takes it. */
export async function send(hook: Hook, { guid, event, body }: Delivery): Promise<number> {
  const signature = createHmac('sha256', hook.config.secret ?? '')
    .update(body)
    .digest('hex');
  try {
    const { status } = await fetch(hook.config.url ?? '', {
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/json',
        'user-agent': 'GitHub-Hookshot/stand-in',
        'x-github-event': event,
        'x-github-delivery': guid,
        'x-hub-signature-256': `sha256=${signature}`,
      },
      signal: AbortSignal.timeout(10_000),
    });
    return status;
  } catch {
    return 502;
  }
}
