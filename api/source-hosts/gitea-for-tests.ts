import { createHmac, randomUUID } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type {
  Branch,
  Commit,
  CommitStatus,
  CreateHookOption,
  CreateKeyOption,
  CreateStatusOption,
  DeployKey,
  EditHookOption,
  Hook,
  Reference,
  Repository,
} from 'gitea-js';
import { describeGitea } from './gitea-description-for-tests.ts';
import { createStandIn, type GitBehind, type StandIn, startGitBehind } from './rest/stand-in-for-tests.ts';
import type { PushEvent } from './webhook-event.ts';

interface StoredHook extends Hook {
  id: number;
  secret: string;
}

interface GiteaRepository {
  id: number;
  name: string;
  keys: Map<number, DeployKey & { gitId: string }>;
  hooks: Map<number, StoredHook>;
  statuses: (CreateStatusOption & { sha: string })[];
}

/** A stand-in for Gitea with real git behind it, held to what gitea-js has from Gitea's own description. */
export interface GiteaStandIn extends StandIn {
  token: string;
  git: GitBehind;
  repository(name: string): GiteaRepository;
  addRepository(name: string): Promise<GiteaRepository>;
  openPullRequest(
    name: string,
    request: { number: number; commit: string; branch: string; fork?: boolean; action?: string },
  ): Promise<void>;
}

const basePath = '/api/v1';
const zeros = '0'.repeat(40);
const inTime = () => AbortSignal.timeout(10_000);

export async function startGitea(root: string): Promise<GiteaStandIn> {
  const repositories = new Map<string, GiteaRepository>();
  const stand = createStandIn(describeGitea(), basePath);
  const { app } = stand;
  const token = randomUUID();
  let lastId = 0;
  const nextId = () => ++lastId;
  let deliveries: Promise<unknown> = Promise.resolve();

  const deliver = async (name: string, event: 'push' | 'pull_request', payload: object) => {
    const body = Buffer.from(JSON.stringify({ ...payload, repository: toRepository(find(name)) }));
    const sending = [...find(name).hooks.values()]
      .filter((hook) => hook.active && hook.events?.includes(event))
      .map((hook) => send(hook, event, body));
    deliveries = Promise.all([deliveries, ...sending]);
    await Promise.all(sending);
  };
  const git = await startGitBehind(root, async (push) => {
    if (repositories.has(push.repository)) await deliver(push.repository, 'push', pushPayload(push));
  });
  const find = (name: string) => {
    const found = repositories.get(name);
    if (!found) throw new Error(`no repository ${name}`);
    return found;
  };
  const toRepository = ({ id, name }: GiteaRepository) =>
    ({ id, full_name: name, name: name.split('/')[1] ?? '', default_branch: 'main' }) satisfies Repository;

  app.addHook('preHandler', async (request, reply) => {
    if (reply.sent) return;
    if (!new RegExp(`^(token|bearer) ${token}$`, 'i').test(request.headers.authorization ?? ''))
      return await fail(reply, 401, 'invalid username, password or token');
    const { owner, repo } = request.params as { owner?: string; repo?: string };
    if (owner !== undefined && !repositories.has(`${owner}/${repo}`))
      await fail(reply, 404, "The target couldn't be found.");
  });
  const of = (request: FastifyRequest) => {
    const { owner, repo } = request.params as { owner: string; repo: string };
    return find(`${owner}/${repo}`);
  };
  const params = (request: FastifyRequest) => request.params as Record<string, string>;
  const repo = `${basePath}/repos/:owner/:repo`;

  app.get(`${basePath}/repos/search`, () => ({
    ok: true,
    data: [...repositories.values()].map(toRepository),
  }));
  app.get(repo, (request) => toRepository(of(request)));
  const toKey = ({ gitId: _, ...key }: DeployKey & { gitId: string }): DeployKey => key;
  app.get(`${repo}/keys`, (request) => page(request, [...of(request).keys.values()].map(toKey)));
  app.post(`${repo}/keys`, async (request, reply) => {
    const repository = of(request);
    const { title, key, read_only = false } = request.body as CreateKeyOption;
    if (!/^ssh-ed25519 [A-Za-z0-9+/=]{20,}/.test(key))
      return fail(reply, 422, 'Invalid key content: illegal base64 data');
    const blob = key.split(' ')[1];
    const same = [...repository.keys.values()];
    if (same.some((other) => other.key?.split(' ')[1] === blob))
      return fail(reply, 422, 'This key has already been added to this repository');
    if (same.some((other) => other.title === title))
      return fail(reply, 422, 'A key with the same name already exists');
    const added = await git.host
      .addDeployKey(repository.name, { title, publicKey: key }, inTime())
      .catch(() => undefined);
    if (!added) return fail(reply, 422, 'Key content has been used as non-deploy key');
    const id = nextId();
    const stored = { id, title, key, read_only, gitId: added.id } satisfies DeployKey & { gitId: string };
    repository.keys.set(id, stored);
    return reply.code(201).send(toKey(stored));
  });
  app.get(`${repo}/keys/:id`, (request, reply) => {
    const key = of(request).keys.get(Number(params(request).id));
    return key ? toKey(key) : fail(reply, 404, 'not found');
  });
  app.delete(`${repo}/keys/:id`, async (request, reply) => {
    const repository = of(request);
    const key = repository.keys.get(Number(params(request).id));
    if (!key) return fail(reply, 404, 'not found');
    await git.host.removeDeployKey(repository.name, key.gitId, inTime());
    repository.keys.delete(key.id ?? 0);
    return reply.code(204).send();
  });

  const toHook = ({ secret: _, ...hook }: StoredHook): Hook => {
    const { secret: __, ...config } = hook.config ?? {};
    return { ...hook, config };
  };
  app.get(`${repo}/hooks`, (request) => page(request, [...of(request).hooks.values()].map(toHook)));
  app.post(`${repo}/hooks`, (request, reply) => {
    const { config, events = [], active = false, type } = request.body as CreateHookOption;
    const id = nextId();
    const hook: StoredHook = {
      ...{ id, type, config, active, secret: config.secret ?? '' },
      // It splits what comes as one.
      events: events.flatMap((event) =>
        event === 'pull_request' ? ['pull_request', 'pull_request_sync', 'pull_request_assign'] : [event],
      ),
    };
    of(request).hooks.set(id, hook);
    return reply.code(201).send(toHook(hook));
  });
  app.get(`${repo}/hooks/:id`, (request, reply) => {
    const hook = of(request).hooks.get(Number(params(request).id));
    return hook ? toHook(hook) : fail(reply, 404, 'not found');
  });
  app.patch(`${repo}/hooks/:id`, (request, reply) => {
    const hook = of(request).hooks.get(Number(params(request).id));
    if (!hook) return fail(reply, 404, 'not found');
    Object.assign(hook, request.body as EditHookOption);
    return toHook(hook);
  });
  app.delete(`${repo}/hooks/:id`, (request, reply) => {
    return of(request).hooks.delete(Number(params(request).id))
      ? reply.code(204).send()
      : fail(reply, 404, 'not found');
  });

  app.get(`${repo}/git/refs/*`, async (request, reply) => {
    const ref = `refs/${params(request)['*']}`;
    const found = await git.host.resolveRef(of(request).name, ref, inTime());
    if (!found) return fail(reply, 404, 'not found');
    return [{ ref, object: { type: 'commit', sha: found.commit } }] satisfies Reference[];
  });
  app.get(`${repo}/git/commits/:sha`, async (request, reply) => {
    const { sha = '' } = params(request);
    const found = await git.host.describeCommit(of(request).name, sha, inTime());
    if (!found) return fail(reply, 404, 'not found');
    const commit = { message: found.message, author: { name: found.author, email: 'ada@example.com' } };
    return { sha, commit } satisfies Commit;
  });
  app.get(`${repo}/branches`, async (request) => {
    const branches = await git.host.listBranches(of(request).name, inTime());
    return page(
      request,
      branches.map(({ name, commit }) => ({ name, commit: { id: commit } }) satisfies Branch),
    );
  });
  app.post(`${repo}/statuses/:sha`, (request, reply) => {
    const status = request.body as CreateStatusOption;
    of(request).statuses.push({ ...status, sha: params(request).sha ?? '' });
    const { state, ...rest } = status;
    return reply.code(201).send({ ...rest, status: state ?? 'pending' } satisfies CommitStatus);
  });

  const url = await stand.listen();
  return {
    ...{ ...stand, url, token, git },
    repository: find,
    async addRepository(name) {
      await git.createRepository(name);
      const repository = { id: nextId(), name, keys: new Map(), hooks: new Map(), statuses: [] };
      repositories.set(name, repository);
      return repository;
    },
    async openPullRequest(name, { number, commit, branch, fork = false, action = 'opened' }) {
      const here = { id: find(name).id, full_name: name };
      const head = { ref: branch, sha: commit, repo: fork ? { id: 9_999 } : here };
      const pull = {
        number,
        title: 'A change',
        user: { login: 'ada' },
        head,
        base: { ref: 'main', repo: here },
      };
      await deliver(name, 'pull_request', { action, number, pull_request: pull });
    },
    async close() {
      await git.close();
      await deliveries;
      await app.close();
    },
  };
}

function pushPayload(push: PushEvent): object {
  const commit = { id: push.commit, message: push.message, author: { name: push.author } };
  return {
    ...{ ref: push.ref, before: push.before, after: push.deleted ? zeros : push.commit },
    ...{ commits: [commit], total_commits: 1, head_commit: push.deleted ? null : commit },
  };
}

function page<T>(request: FastifyRequest, items: T[]): T[] {
  const { limit = '30', page: number = '1' } = request.query as Record<string, string>;
  const size = Number(limit);
  return items.slice((Number(number) - 1) * size, Number(number) * size);
}

function fail(reply: FastifyReply, status: number, message: string) {
  return reply.code(status).send({ message, url: 'https://gitea.example.com/api/swagger' });
}

async function send({ config, secret }: StoredHook, event: string, body: Buffer): Promise<void> {
  const delivery = randomUUID();
  await fetch(config?.url ?? '', {
    method: 'POST',
    body,
    headers: {
      'content-type': 'application/json',
      'x-gitea-event': event,
      'x-gitea-delivery': delivery,
      'x-gitea-signature': createHmac('sha256', secret).update(body).digest('hex'),
      'x-forgejo-event': event,
      'x-forgejo-delivery': delivery,
    },
    signal: inTime(),
  }).catch(() => undefined);
}
