import { createHmac, createPublicKey, generateKeyPairSync, randomUUID, verify } from 'node:crypto';
import { createRequire } from 'node:module';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { createApiDescription } from '../openapi-for-tests.ts';
import { createStandIn, type GitBehind, type StandIn, startGitBehind } from '../rest/stand-in-for-tests.ts';
import { pullRequestPayload, pushPayload, repositoryPayload } from './github-payloads-for-tests.ts';

type Json = Record<string, unknown>;
type Level = 'read' | 'write';

interface Hook {
  id: number;
  active: boolean;
  events: string[];
  config: Record<string, string>;
}

interface Delivery {
  id: number;
  guid: string;
  event: string;
  body: Buffer;
  delivered_at: string;
  redelivery: boolean;
  status_code: number;
}

export interface GithubRepository {
  id: number;
  name: string;
  folder: string;
  archived: boolean;
  keysForbidden: boolean;
  keys: Map<number, { key: string; title: string; read_only: boolean; gitId: string }>;
  hooks: Map<number, Hook>;
  deliveries: Map<number, Delivery[]>;
  statuses: { sha: string; state: string; context: string; description: string; target_url: string }[];
}

/** A stand-in for GitHub Enterprise Server: stateful, with real git behind it, held to GitHub's published OpenAPI. */
export interface GithubStandIn extends StandIn {
  /** Fine-grained token with all that Ebb needs; `permissions` and `revoked` change what it may do. */
  token: { value: string; revoked: boolean; permissions: Record<string, Level> };
  app: StandIn['app'];
  /** A GitHub App that is installed at the owner of the repositories. */
  githubApp: {
    id: string;
    installationId: string;
    privateKey: string;
    permissions: Record<string, Level>;
    suspended: boolean;
    /** Tokens that were minted, each with what it was restricted to. */
    minted: { repositories: string[]; permissions: Record<string, string> }[];
  };
  git: GitBehind;
  sshAddress: string;
  hostKeys: string[];
  repository(name: string): GithubRepository;
  addRepository(name: string): Promise<GithubRepository>;
  /** Answers under the old name redirect to the new one. */
  rename(name: string, newName: string): void;
  remove(name: string): void;
  /** Delivers an event to the hooks of a repository that want it; a payload that is not as published throws. */
  deliver(repository: string, event: string, payload: Json): Promise<void>;
  openPullRequest(repository: string, request: Parameters<typeof pullRequestPayload>[1]): Promise<void>;
  /** While true, deliveries are lost: the log says that they failed. */
  losing: boolean;
  /** Resolves when every delivery was answered. */
  idle(): Promise<void>;
}

const document = createRequire(import.meta.url)('@octokit/openapi/generated/api.github.com.json');
const description = createApiDescription(document);
const example = (name: string): Json => structuredClone(document.components.examples[name].value);
const basePath = '/api/v3';

export async function startGithub(root: string): Promise<GithubStandIn> {
  const repositories = new Map<string, GithubRepository>();
  // Where redirects of renamed repositories go; the description leaves these paths out.
  const stand = createStandIn(description, basePath, (target) =>
    target.replace(/\/repositories\/(\d+)/, (path, id) => {
      const found = [...repositories.values()].find((repository) => String(repository.id) === id);
      return found ? `/repos/${found.name}` : path;
    }),
  );
  const { app } = stand;
  const moved = new Map<string, string>();
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const all = { administration: 'write', repository_hooks: 'write', statuses: 'write' } as const;
  const permissions = { ...all, contents: 'read', metadata: 'read' } as const;
  const minted = new Map<string, { repositories: string[]; permissions: Record<string, string> }>();
  let lastId = 1_000;
  const nextId = () => ++lastId;
  let deliveries: Promise<unknown> = Promise.resolve();
  let url = '';

  const git = await startGitBehind(root, async (push) => {
    const repository = repositories.get(push.repository);
    if (!repository) return;
    await github
      .deliver(push.repository, 'push', pushPayload(toPayload(repository), push))
      .catch((error) => stand.violations.push(String(error)));
  });
  const toPayload = (repository: GithubRepository) => repositoryPayload(repository, url);

  const github: GithubStandIn = {
    ...stand,
    url: '',
    token: { value: `github_pat_${randomUUID()}`, revoked: false, permissions: { ...permissions } },
    githubApp: {
      ...{ id: '4711', installationId: '815', privateKey, suspended: false },
      permissions: { ...permissions },
      get minted() {
        return [...minted.values()];
      },
    },
    git,
    sshAddress: `127.0.0.1:${git.port}`,
    hostKeys: [git.hostKey],
    losing: false,
    repository(name) {
      const found = repositories.get(name);
      if (!found) throw new Error(`no repository ${name}`);
      return found;
    },
    async addRepository(name) {
      const repository: GithubRepository = {
        ...{ id: nextId(), name, folder: await git.createRepository(name) },
        ...{ archived: false, keysForbidden: false },
        ...{ keys: new Map(), hooks: new Map(), deliveries: new Map(), statuses: [] },
      };
      repositories.set(name, repository);
      return repository;
    },
    rename(name, newName) {
      const repository = github.repository(name);
      repositories.delete(name);
      repositories.set(newName, { ...repository, name: newName });
      moved.set(name, newName);
    },
    remove: (name) => void repositories.delete(name),
    async deliver(name, event, payload) {
      const repository = github.repository(name);
      description.checkSchema(
        event === 'pull_request' ? 'webhook-pull-request-opened' : `webhook-${event}`,
        event === 'pull_request' ? { ...payload, action: 'opened' } : payload,
      );
      const body = Buffer.from(JSON.stringify(payload));
      for (const hook of repository.hooks.values()) {
        if (!hook.active || (!hook.events.includes(event) && event !== 'ping')) continue;
        const guid = randomUUID();
        await attempt(repository, hook, { guid, event, body, redelivery: false });
      }
    },
    async openPullRequest(name, request) {
      await github.deliver(
        name,
        'pull_request',
        pullRequestPayload(toPayload(github.repository(name)), request),
      );
    },
    async idle() {
      await deliveries;
    },
    async close() {
      await git.close();
      await deliveries;
      await app.close();
    },
  };

  const attempt = async (
    repository: GithubRepository,
    hook: Hook,
    { guid, event, body, redelivery }: Pick<Delivery, 'guid' | 'event' | 'body' | 'redelivery'>,
  ) => {
    const delivery: Delivery = {
      ...{ id: nextId(), guid, event, body, redelivery, status_code: 0 },
      delivered_at: new Date().toISOString(),
    };
    repository.deliveries.set(hook.id, [delivery, ...(repository.deliveries.get(hook.id) ?? [])]);
    if (github.losing) {
      delivery.status_code = 502;
      return;
    }
    const sending = send(hook, delivery).then((status) => {
      delivery.status_code = status;
    });
    deliveries = Promise.all([deliveries, sending]);
    await sending;
  };

  /** Finds who asks; answers 401 when nobody is known by that token. */
  const identify = (request: FastifyRequest) => {
    const [, token = ''] = /^bearer (.+)$/i.exec(request.headers.authorization ?? '') ?? [];
    if (token === github.token.value && !github.token.revoked)
      return { kind: 'token' as const, permissions: github.token.permissions, repositories: undefined };
    const installation = minted.get(token);
    if (installation) return { kind: 'installation' as const, ...installation };
    if (isSignedBy(token, publicKey, github.githubApp.id))
      return { kind: 'app' as const, permissions: {}, repositories: undefined };
    return undefined;
  };

  app.addHook('preHandler', async (request, reply) => {
    if (reply.sent || !request.url.startsWith(basePath)) return;
    const caller = identify(request);
    if (!caller) return await fail(reply, 401, 'Bad credentials');
    const { params } = request as { params: { owner?: string; repo?: string } };
    if (params.owner === undefined) return;
    const name = `${params.owner}/${params.repo}`;
    const newName = moved.get(name);
    if (newName !== undefined && !repositories.has(name)) {
      const id = github.repository(newName).id;
      const rest = request.url.slice(`${basePath}/repos/${name}`.length);
      const location = `${url}${basePath}/repositories/${id}${rest}`;
      const status = request.method === 'GET' ? 301 : 307;
      return await reply.code(status).header('location', location).send({
        message: 'Moved Permanently',
        url: location,
        documentation_url: 'https://docs.github.com/v3/#http-redirects',
      });
    }
    if (!repositories.has(name) || caller.repositories?.includes(params.repo ?? '') === false) {
      return await fail(reply, 404, 'Not Found');
    }
    const wanted = request.routeOptions.config as { needs?: [string, Level] };
    const [permission = 'metadata', level = 'read'] = wanted.needs ?? [];
    const has = (caller.permissions as Record<string, string>)[permission];
    if (has === 'write' || has === level) return;
    const by = caller.kind === 'token' ? 'personal access token' : 'integration';
    reply.header('x-accepted-github-permissions', `${permission}=${level}`);
    await fail(reply, 403, `Resource not accessible by ${by}`);
  });

  const of = (request: FastifyRequest) => {
    const { owner, repo } = request.params as { owner: string; repo: string };
    return github.repository(`${owner}/${repo}`);
  };
  const params = (request: FastifyRequest) => request.params as Record<string, string>;
  const send200 = (reply: FastifyReply, request: FastifyRequest, body: unknown) => {
    const etag = `W/"${createHmac('sha256', 'etag').update(JSON.stringify(body)).digest('hex')}"`;
    reply.header('etag', etag);
    return request.headers['if-none-match'] === etag ? reply.code(304).send() : reply.send(body);
  };
  const needs = (permission: string, level: Level) => ({ config: { needs: [permission, level] } });
  const repo = `${basePath}/repos/:owner/:repo`;

  app.get(`${basePath}/meta`, (request, reply) =>
    send200(reply, request, {
      verifiable_password_authentication: false,
      ssh_keys: github.hostKeys,
    }),
  );
  app.get(`${basePath}/user`, (request, reply) =>
    send200(reply, request, example('private-user-response-with-public-profile-information')),
  );
  app.get(`${basePath}/user/repos`, (request, reply) =>
    send200(reply, request, [...repositories.values()].slice(0, 1).map(toPayload)),
  );
  app.get(`${basePath}/app/installations/:installation_id`, (request, reply) => {
    if (params(request).installation_id !== github.githubApp.installationId)
      return fail(reply, 404, 'Not Found');
    return {
      ...example('installation'),
      permissions: github.githubApp.permissions,
      suspended_at: github.githubApp.suspended ? new Date().toISOString() : null,
      suspended_by: null,
    };
  });
  app.post(`${basePath}/app/installations/:installation_id/access_tokens`, (request, reply) => {
    if (identify(request)?.kind !== 'app') return fail(reply, 401, 'A JSON web token could not be decoded');
    if (github.githubApp.suspended) return fail(reply, 403, 'This installation has been suspended');
    if (params(request).installation_id !== github.githubApp.installationId)
      return fail(reply, 404, 'Not Found');
    const { repositories: names = [], permissions: asked = {} } = request.body as {
      repositories?: string[];
      permissions?: Record<string, string>;
    };
    if (
      names.some(
        (name) => ![...repositories.keys(), ...moved.keys()].some((full) => full.endsWith(`/${name}`)),
      )
    ) {
      return fail(
        reply,
        422,
        'There is at least one repository that does not exist or is not accessible to the parent installation.',
      );
    }
    const lacks = Object.entries(asked).some(([name, level]) => {
      const has = github.githubApp.permissions[name];
      return has !== 'write' && has !== level;
    });
    if (lacks) return fail(reply, 422, 'The permissions requested are not granted to this installation.');
    const token = `ghs_${randomUUID()}`;
    minted.set(token, { repositories: names, permissions: asked });
    const expires_at = new Date(Date.now() + 3_600_000).toISOString();
    return reply.code(201).send({ token, expires_at, permissions: asked, repository_selection: 'selected' });
  });
  app.get(repo, (request, reply) => send200(reply, request, toPayload(of(request))));

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
    const added = await git.host
      .addDeployKey(repository.name, { title, publicKey: key }, AbortSignal.timeout(10_000))
      .catch(() => undefined);
    if (!added) return fail(reply, 422, 'Validation Failed', 'key is already in use');
    const id = nextId();
    // GitHub keeps no comment.
    const stored = { key: key.split(' ').slice(0, 2).join(' '), title, read_only, gitId: added.id };
    repository.keys.set(id, stored);
    return reply.code(201).send(toKey([id, stored]));
  });
  app.get(`${repo}/keys/:key_id`, needs('administration', 'read'), (request, reply) => {
    const id = Number(params(request).key_id);
    const key = of(request).keys.get(id);
    return key ? send200(reply, request, toKey([id, key])) : fail(reply, 404, 'Not Found');
  });
  app.delete(`${repo}/keys/:key_id`, needs('administration', 'write'), async (request, reply) => {
    const repository = of(request);
    const id = Number(params(request).key_id);
    const key = repository.keys.get(id);
    if (!key) return fail(reply, 404, 'Not Found');
    await git.host.removeDeployKey(repository.name, key.gitId, AbortSignal.timeout(10_000));
    repository.keys.delete(id);
    return reply.code(204).send();
  });

  const toHook = (repository: GithubRepository, hook: Hook) => {
    const self = `${url}${basePath}/repos/${repository.name}/hooks/${hook.id}`;
    return {
      ...example('hook'),
      ...hook,
      config: { ...hook.config, secret: '********' },
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
    const hook = repository.hooks.get(Number(params(request).hook_id));
    return hook ? send200(reply, request, toHook(repository, hook)) : fail(reply, 404, 'Not Found');
  });
  app.patch(`${repo}/hooks/:hook_id`, needs('repository_hooks', 'write'), async (request, reply) => {
    const repository = of(request);
    const hook = repository.hooks.get(Number(params(request).hook_id));
    if (!hook) return fail(reply, 404, 'Not Found');
    Object.assign(hook, request.body);
    return toHook(repository, hook);
  });
  app.delete(`${repo}/hooks/:hook_id`, needs('repository_hooks', 'write'), async (request, reply) => {
    return of(request).hooks.delete(Number(params(request).hook_id))
      ? reply.code(204).send()
      : fail(reply, 404, 'Not Found');
  });
  app.get(`${repo}/hooks/:hook_id/deliveries`, needs('repository_hooks', 'read'), (request, reply) => {
    const repository = of(request);
    const found = repository.deliveries.get(Number(params(request).hook_id)) ?? [];
    const { per_page = '30', cursor = '0' } = request.query as Record<string, string>;
    const from = Number(cursor);
    const until = from + Number(per_page);
    if (until < found.length) {
      const next = `${url}${request.url.split('?')[0]}?per_page=${per_page}&cursor=${until}`;
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
      const hook = repository.hooks.get(Number(params(request).hook_id));
      const id = Number(params(request).delivery_id);
      const delivery = repository.deliveries.get(hook?.id ?? 0)?.find((one) => one.id === id);
      if (!hook || !delivery) return fail(reply, 404, 'Not Found');
      attempt(repository, hook, { ...delivery, redelivery: true }).catch(() => {});
      return reply.code(202).send({});
    },
  );

  const gitObject = (sha: string, type: string) => ({ sha, type, url: `${url}/git/${sha}` });
  app.get(`${repo}/git/ref/*`, needs('contents', 'read'), async (request, reply) => {
    const ref = `refs/${params(request)['*']}`;
    const found = await git.host.resolveRef(of(request).name, ref, AbortSignal.timeout(10_000));
    if (!found) return fail(reply, 404, 'Not Found');
    return send200(reply, request, {
      ...{ ref, node_id: 'MDM6UmVm', url: `${url}/${ref}` },
      object: gitObject(found.commit, 'commit'),
    });
  });
  app.get(`${repo}/git/commits/:sha`, needs('contents', 'read'), async (request, reply) => {
    const { sha = '' } = params(request);
    const found = await git.host.describeCommit(of(request).name, sha, AbortSignal.timeout(10_000));
    if (!found) return fail(reply, 404, 'Not Found');
    const { author, ...rest } = example('git-commit') as { author: Json };
    return send200(reply, request, {
      ...rest,
      sha,
      message: found.message,
      author: { ...author, name: found.author },
    });
  });
  app.get(`${repo}/branches`, needs('contents', 'read'), async (request, reply) => {
    const branches = await git.host.listBranches(of(request).name, AbortSignal.timeout(10_000));
    const list = branches.map(({ name, commit }) => ({
      ...{ name, protected: false },
      commit: { sha: commit, url: `${url}/commits/${commit}` },
    }));
    return send200(reply, request, page(request, list));
  });
  app.post(`${repo}/statuses/:sha`, needs('statuses', 'write'), async (request, reply) => {
    const repository = of(request);
    const { sha = '' } = params(request);
    const known = await git.host.describeCommit(repository.name, sha, AbortSignal.timeout(10_000));
    if (!known) return fail(reply, 422, 'Validation Failed', `No commit found for SHA: ${sha}`);
    const { description = '', ...rest } = request.body as GithubRepository['statuses'][number];
    if (description.length > 140)
      return fail(reply, 422, 'Validation Failed', 'description is too long (maximum is 140 characters)');
    const status = { ...rest, description, sha };
    repository.statuses.push(status);
    const { sha: _, ...shown } = status;
    return reply.code(201).send({ ...example('status'), ...shown });
  });

  url = await stand.listen();
  github.url = url;
  return github;

  function toKey([id, key]: [number, { key: string; title: string; read_only: boolean }]) {
    return {
      ...{ id, key: key.key, title: key.title, read_only: key.read_only, verified: true },
      ...{ url: `${url}/keys/${id}`, created_at: '2026-01-01T00:00:00Z', added_by: 'ada', last_used: null },
    };
  }
}

function page<T>(request: FastifyRequest, items: T[]): T[] {
  const { per_page = '30', page: number = '1' } = request.query as Record<string, string>;
  const size = Number(per_page);
  return items.slice((Number(number) - 1) * size, Number(number) * size);
}

function fail(reply: FastifyReply, status: number, message: string, error?: string) {
  return reply.code(status).send({
    message,
    ...(error === undefined
      ? {}
      : { errors: [{ resource: 'Resource', code: 'custom', field: 'field', message: error }] }),
    documentation_url: 'https://docs.github.com/rest',
  });
}

function isSignedBy(token: string, publicKey: string, appId: string): boolean {
  const [header = '', payload = '', signature = ''] = token.split('.');
  if (signature === '') return false;
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const now = Date.now() / 1000;
  const inTime = claims.iat <= now && claims.exp > now && claims.exp - now <= 600;
  return (
    inTime &&
    String(claims.iss) === appId &&
    verify(
      'sha256',
      Buffer.from(`${header}.${payload}`),
      createPublicKey(publicKey),
      Buffer.from(signature, 'base64url'),
    )
  );
}

/** Posts as GitHub does; gives the status, 502 when nobody takes it. */
async function send(hook: Hook, { guid, event, body }: Delivery): Promise<number> {
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
