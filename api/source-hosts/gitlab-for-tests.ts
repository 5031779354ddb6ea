import { createHmac, randomUUID } from 'node:crypto';
import type {
  BranchSchema,
  CommitSchema,
  CommitStatusSchema,
  DeployKeySchema,
  PersonalAccessTokenSchema,
  ProjectHookSchema,
  ProjectSchema,
  TagSchema,
} from '@gitbeaker/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { describeGitlab } from './gitlab-description-for-tests.ts';
import { createStandIn, type GitBehind, type StandIn, startGitBehind } from './rest/stand-in-for-tests.ts';
import type { PushEvent } from './webhook-event.ts';

type StoredHook = Partial<ProjectHookSchema> & {
  id: number;
  url: string;
  token?: string;
  signing_token?: string;
};

interface GitlabProject {
  id: number;
  name: string;
  folder: string;
  keys: Map<number, Partial<DeployKeySchema> & { id: number; gitId: string }>;
  hooks: Map<number, StoredHook>;
  statuses: Map<string, string>;
}

/** A stand-in for GitLab with real git behind it, held to what gitbeaker, a client of its API, declares. */
export interface GitlabStandIn extends StandIn {
  token: string;
  tokenEnded: boolean;
  scopes: string[];
  /** False for a GitLab that knows no signatures and sends the token alone. */
  signs: boolean;
  git: GitBehind;
  project(name: string): GitlabProject;
  addProject(name: string): Promise<GitlabProject>;
  openMergeRequest(
    name: string,
    request: { number: number; commit: string; branch: string; fork?: boolean; action?: string },
  ): Promise<void>;
}

const basePath = '/api/v4';
const zeros = '0'.repeat(40);
const inTime = () => AbortSignal.timeout(10_000);

export async function startGitlab(root: string): Promise<GitlabStandIn> {
  const projects = new Map<string, GitlabProject>();
  const { api, fill } = describeGitlab();
  const stand = createStandIn(api, basePath);
  const { app } = stand;
  let lastId = 0;
  const nextId = () => ++lastId;
  let deliveries: Promise<unknown> = Promise.resolve();

  const deliver = async (name: string, wants: (hook: StoredHook) => boolean, payload: object) => {
    const { id } = find(name);
    const body = Buffer.from(JSON.stringify({ ...payload, project: { id, path_with_namespace: name } }));
    const sending = [...find(name).hooks.values()]
      .filter((hook) => wants(hook) && hook.alert_status !== 'disabled')
      .map((hook) => send(hook, body, gitlab.signs));
    deliveries = Promise.all([deliveries, ...sending]);
    await Promise.all(sending);
  };
  const git = await startGitBehind(root, async (push) => {
    const isTag = push.ref.startsWith('refs/tags/');
    const wants = (hook: StoredHook) => (isTag ? hook.tag_push_events : hook.push_events) === true;
    if (projects.has(push.repository)) await deliver(push.repository, wants, pushPayload(push));
  });
  const find = (name: string) => {
    const found = projects.get(name);
    if (!found) throw new Error(`no project ${name}`);
    return found;
  };

  app.addHook('preHandler', async (request, reply) => {
    if (reply.sent) return;
    const token = request.headers['private-token'] ?? request.headers.authorization?.replace('Bearer ', '');
    if (token !== gitlab.token || gitlab.tokenEnded)
      return await reply.code(401).send({ message: '401 Unauthorized' });
    const { id } = request.params as { id?: string };
    if (id !== undefined && !projects.has(id)) await fail(reply, 404, '404 Project Not Found');
  });
  const params = (request: FastifyRequest) => request.params as Record<string, string>;
  const of = (request: FastifyRequest) => find(params(request).id ?? '');
  const project = `${basePath}/projects/:id`;

  app.get(
    `${basePath}/personal_access_tokens/self`,
    () => ({ id: 1, active: true, scopes: gitlab.scopes }) satisfies Partial<PersonalAccessTokenSchema>,
  );
  app.delete(`${basePath}/personal_access_tokens/self`, (_request, reply) => {
    gitlab.tokenEnded = true;
    return reply.code(204).send();
  });
  app.get(project, (request) => {
    const { id, name } = of(request);
    const fields = { id, path_with_namespace: name, default_branch: 'main' } satisfies Partial<ProjectSchema>;
    return fill('GET /projects/{id}', fields);
  });
  const shown = ({ gitId: _, ...key }: Partial<DeployKeySchema> & { gitId: string }) =>
    fill('GET /projects/{id}/deploy_keys/{key_id}', key);
  app.post(`${project}/deploy_keys`, async (request, reply) => {
    const { name, keys } = of(request);
    const { title, key, can_push } = request.body as { title: string; key: string; can_push: boolean };
    if (!/^ssh-ed25519 [A-Za-z0-9+/=]{20,}/.test(key))
      return fail(reply, 400, { 'deploy_key.key': ['is invalid'] });
    const same = [...keys.values()].find((other) => other.key?.split(' ')[1] === key.split(' ')[1]);
    if (same) return reply.code(201).send(shown(same));
    const added = await git.host
      .addDeployKey(name, { title, publicKey: key }, inTime())
      .catch(() => undefined);
    if (!added) return fail(reply, 400, { 'deploy_key.fingerprint_sha256': ['has already been taken'] });
    const stored = { id: nextId(), title, key, can_push, gitId: added.id };
    keys.set(stored.id, stored);
    return reply.code(201).send(shown(stored));
  });
  app.get(`${project}/deploy_keys`, (request) => [...of(request).keys.values()].map(shown));
  app.get(`${project}/deploy_keys/:key_id`, (request, reply) => {
    const key = of(request).keys.get(Number(params(request).key_id));
    return key ? shown(key) : fail(reply, 404, '404 Deploy Key Not Found');
  });
  app.delete(`${project}/deploy_keys/:key_id`, async (request, reply) => {
    const { name, keys } = of(request);
    const key = keys.get(Number(params(request).key_id));
    if (!key) return fail(reply, 404, '404 Deploy Key Not Found');
    await git.host.removeDeployKey(name, key.gitId, inTime());
    keys.delete(key.id);
    return reply.code(204).send();
  });

  // Neither token is ever told again.
  const toHook = ({ token: _, signing_token: __, ...hook }: StoredHook) =>
    fill('GET /projects/{id}/hooks/{hook_id}', hook satisfies Partial<ProjectHookSchema>);
  app.get(`${project}/hooks`, (request) => [...of(request).hooks.values()].map(toHook));
  app.post(`${project}/hooks`, (request, reply) => {
    const hook = { ...(request.body as StoredHook), id: nextId(), alert_status: 'executable' };
    of(request).hooks.set(hook.id, hook);
    return reply.code(201).send(toHook(hook));
  });
  app.get(`${project}/hooks/:hook_id`, (request, reply) => {
    const hook = of(request).hooks.get(Number(params(request).hook_id));
    return hook ? toHook(hook) : fail(reply, 404, '404 Not found');
  });
  app.put(`${project}/hooks/:hook_id`, (request, reply) => {
    const hook = of(request).hooks.get(Number(params(request).hook_id));
    if (!hook) return fail(reply, 404, '404 Not found');
    Object.assign(hook, request.body);
    return toHook(hook);
  });
  app.delete(`${project}/hooks/:hook_id`, (request, reply) => {
    return of(request).hooks.delete(Number(params(request).hook_id))
      ? reply.code(204).send()
      : fail(reply, 404, '404 Not found');
  });

  const toRef = (list: 'branches' | 'tags', name: string, sha: string) => {
    const request = `GET /projects/{id}/repository/${list}/{${list === 'tags' ? 'tag_name' : 'branch'}}`;
    const empty = fill(request, { name } satisfies Partial<BranchSchema & TagSchema>);
    return { ...empty, commit: { ...(empty.commit as object), id: sha } };
  };
  const refRoute = (list: 'branches' | 'tags', prefix: string) =>
    app.get(`${project}/repository/${list}/:name`, async (request, reply) => {
      const { name = '' } = params(request);
      const found = await git.host.resolveRef(of(request).name, `${prefix}${name}`, inTime());
      return found ? toRef(list, name, found.commit) : fail(reply, 404, '404 Not Found');
    });
  refRoute('branches', 'refs/heads/');
  refRoute('tags', 'refs/tags/');
  app.get(`${project}/repository/branches`, async (request) => {
    const { per_page = '20', page = '1' } = request.query as Record<string, string>;
    const branches = await git.host.listBranches(of(request).name, inTime());
    const from = (Number(page) - 1) * Number(per_page);
    return branches
      .slice(from, from + Number(per_page))
      .map(({ name, commit }) => toRef('branches', name, commit));
  });
  app.get(`${project}/repository/commits/:sha`, async (request, reply) => {
    const { sha = '' } = params(request);
    const found = await git.host.describeCommit(of(request).name, sha, inTime());
    if (!found) return fail(reply, 404, '404 Commit Not Found');
    const { message, author } = found;
    const fields = { id: sha, message, author_name: author } satisfies Partial<CommitSchema>;
    return fill('GET /projects/{id}/repository/commits/{sha}', fields);
  });
  app.post(`${project}/statuses/:sha`, (request, reply) => {
    const { statuses } = of(request);
    const { sha = '' } = params(request);
    const body = request.body as { state: 'pending' | 'success' | 'failed'; name: string };
    const name = `${sha} ${body.name}`;
    if (statuses.get(name) === body.state) {
      return fail(
        reply,
        400,
        `Cannot transition status via :enqueue from :pending (Reason(s): Status cannot transition via "enqueue")`,
      );
    }
    statuses.set(name, body.state);
    const fields = { sha, name: body.name, status: body.state } satisfies Partial<CommitStatusSchema>;
    return reply.code(201).send(fill('POST /projects/{id}/statuses/{sha}', fields));
  });

  const gitlab: GitlabStandIn = {
    ...{
      ...stand,
      url: '',
      token: `glpat-${randomUUID()}`,
      tokenEnded: false,
      scopes: ['api'],
      signs: true,
      git,
    },
    project: find,
    async addProject(name) {
      const folder = await git.createRepository(name);
      const added = { id: nextId(), name, folder, keys: new Map(), hooks: new Map(), statuses: new Map() };
      projects.set(name, added);
      return added;
    },
    async openMergeRequest(name, { number, commit, branch, fork = false, action = 'open' }) {
      const { id } = find(name);
      await deliver(name, (hook) => hook.merge_requests_events === true, {
        object_kind: 'merge_request',
        user: { username: 'ada' },
        object_attributes: {
          ...{ iid: number, title: 'A change', action, last_commit: { id: commit } },
          ...{ source_branch: branch, target_branch: 'main' },
          ...{ source_project_id: fork ? id + 1_000 : id, target_project_id: id },
          ...(action === 'update' ? { oldrev: zeros } : {}),
        },
      });
    },
    async close() {
      await git.close();
      await deliveries;
      await app.close();
    },
  };
  gitlab.url = await stand.listen();
  return gitlab;
}

function pushPayload(push: PushEvent): object {
  const commit = { id: push.commit, message: push.message, author: { name: push.author } };
  return {
    object_kind: push.ref.startsWith('refs/tags/') ? 'tag_push' : 'push',
    ...{ ref: push.ref, before: push.before, after: push.deleted ? zeros : push.commit },
    ...{ checkout_sha: push.deleted ? null : push.commit, commits: push.deleted ? [] : [commit] },
  };
}

function fail(reply: FastifyReply, status: number, message: unknown) {
  return reply.code(status).send({ message });
}

async function send(hook: StoredHook, body: Buffer, signs: boolean): Promise<void> {
  const id = randomUUID();
  const timestamp = String(Math.floor(Date.now() / 1000));
  const key = Buffer.from((hook.signing_token ?? '').replace('whsec_', ''), 'base64');
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64');
  await fetch(hook.url, {
    method: 'POST',
    body,
    headers: {
      'content-type': 'application/json',
      'x-gitlab-event': 'Hook',
      'x-gitlab-token': hook.token ?? '',
      'idempotency-key': id,
      ...(signs
        ? {
            'webhook-id': id,
            'webhook-timestamp': timestamp,
            'webhook-signature': `v1,${signature}`,
          }
        : {}),
    },
    signal: inTime(),
  }).catch(() => undefined);
}
