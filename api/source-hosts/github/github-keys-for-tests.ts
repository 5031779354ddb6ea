import {
  fail,
  type GithubRepository,
  type GithubRoutes,
  needs,
  page,
  paramsOf,
  repo,
  send200,
} from './github-state-for-tests.ts';

/** Deploy keys, each of which opens the repository of the git behind. */
export function addKeys({ app, github, repositories, nextId, of }: GithubRoutes): void {
  const toKey = ([id, key]: [number, GithubRepository['keys'] extends Map<number, infer K> ? K : never]) => ({
    ...{ id, key: key.key, title: key.title, read_only: key.read_only, verified: true },
    ...{
      url: `${github.url}/keys/${id}`,
      created_at: '2026-01-01T00:00:00Z',
      added_by: 'ada',
      last_used: null,
    },
  });
  app.get(`${repo}/keys`, needs('administration', 'read'), (request, reply) =>
    send200(reply, request, page(request, [...of(request).keys].map(toKey))),
  );
  app.post(`${repo}/keys`, needs('administration', 'write'), async (request, reply) => {
    const repository = of(request);
    const { title, key, read_only } = request.body as { title: string; key: string; read_only: boolean };
    if (repository.archived) return fail(reply, 403, 'Repository was archived so is read-only.');
    if (repository.keysForbidden)
      return fail(reply, 422, 'Validation Failed', 'Deploy keys are disabled for this repository');
    if (!/^ssh-ed25519 [A-Za-z0-9+/=]{20,}/.test(key))
      return fail(
        reply,
        422,
        'Validation Failed',
        'key is invalid. You must supply a key in OpenSSH public key format',
      );
    const blob = key.split(' ')[1];
    const everywhere = [...repositories.values()].flatMap((other) => [...other.keys.values()]);
    if (everywhere.some((other) => other.key.split(' ')[1] === blob))
      return fail(reply, 422, 'Validation Failed', 'key is already in use');
    const added = await github.git.host
      .addDeployKey(repository.gitName, { title, publicKey: key }, AbortSignal.timeout(10_000))
      .catch(() => undefined);
    if (!added) return fail(reply, 422, 'Validation Failed', 'key is already in use');
    const id = nextId();
    // GitHub keeps no comment.
    const stored = { key: key.split(' ').slice(0, 2).join(' '), title, read_only, gitId: added.id };
    repository.keys.set(id, stored);
    return reply.code(201).send(toKey([id, stored]));
  });
  app.get(`${repo}/keys/:key_id`, needs('administration', 'read'), (request, reply) => {
    const id = Number(paramsOf(request).key_id);
    const key = of(request).keys.get(id);
    return key ? send200(reply, request, toKey([id, key])) : fail(reply, 404, 'Not Found');
  });
  app.delete(`${repo}/keys/:key_id`, needs('administration', 'write'), async (request, reply) => {
    const repository = of(request);
    const id = Number(paramsOf(request).key_id);
    const key = repository.keys.get(id);
    if (!key) return fail(reply, 404, 'Not Found');
    await github.git.host.removeDeployKey(repository.gitName, key.gitId, AbortSignal.timeout(10_000));
    repository.keys.delete(id);
    return reply.code(204).send();
  });
}
