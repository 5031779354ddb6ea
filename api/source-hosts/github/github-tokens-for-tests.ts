import { createPublicKey, randomUUID, verify } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import {
  basePath,
  example,
  fail,
  type GithubRoutes,
  type Level,
  type Minted,
  paramsOf,
  send200,
} from './github-state-for-tests.ts';

interface Caller extends Minted {
  kind: 'token' | 'installation' | 'app';
}

/** Who may ask what: the token, the App, and the tokens that are minted for it. */
export function addTokens(
  { app, github, repositories, moved, toPayload }: GithubRoutes,
  { minted, publicKey }: { minted: Map<string, Minted>; publicKey: string },
): void {
  /** Undefined when nobody is known by that token. */
  const identify = (request: FastifyRequest): Caller | undefined => {
    const [, token = ''] = /^bearer (.+)$/i.exec(request.headers.authorization ?? '') ?? [];
    const { permissions, revoked, value } = github.token;
    if (token === value && !revoked) return { kind: 'token', permissions, repositories: undefined };
    const installation = minted.get(token);
    if (installation) return { kind: 'installation', ...installation };
    // An App as itself sees its installations and nothing else.
    const isAppRoute = request.url.startsWith(`${basePath}/app`);
    if (isAppRoute && isSignedBy(token, publicKey, github.githubApp.id))
      return { kind: 'app', permissions: {}, repositories: undefined };
    return undefined;
  };
  const redirect = (request: FastifyRequest, name: string) => {
    const newName = moved.get(name);
    if (newName === undefined || repositories.has(name)) return undefined;
    const { id } = github.repository(newName);
    const rest = request.url.slice(`${basePath}/repos/${name}`.length);
    return { id, location: `${github.url}${basePath}/repositories/${id}${rest}` };
  };

  app.addHook('preHandler', async (request, reply) => {
    if (reply.sent || !request.url.startsWith(basePath)) return;
    const caller = identify(request);
    if (!caller) return await fail(reply, 401, 'Bad credentials');
    const { params } = request as { params: { owner?: string; repo?: string } };
    if (params.owner === undefined) return;
    const name = `${params.owner}/${params.repo}`;
    const target = redirect(request, name);
    const id = target?.id ?? repositories.get(name)?.id;
    if (id === undefined || caller.repositories?.includes(id) === false)
      return await fail(reply, 404, 'Not Found');
    if (target) {
      const { location } = target;
      const status = request.method === 'GET' ? 301 : 307;
      return await reply.code(status).header('location', location).send({
        message: 'Moved Permanently',
        url: location,
        documentation_url: 'https://docs.github.com/v3/#http-redirects',
      });
    }
    const wanted = request.routeOptions.config as { needs?: [string, Level] };
    const [permission = 'metadata', level = 'read'] = wanted.needs ?? [];
    const has = caller.permissions[permission];
    if (has === 'write' || has === level) return;
    const by = caller.kind === 'token' ? 'personal access token' : 'integration';
    reply.header('x-accepted-github-permissions', `${permission}=${level}`);
    await fail(reply, 403, `Resource not accessible by ${by}`);
  });

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
    if (paramsOf(request).installation_id !== github.githubApp.installationId)
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
    if (paramsOf(request).installation_id !== github.githubApp.installationId)
      return fail(reply, 404, 'Not Found');
    const asked = request.body as {
      repositories?: string[];
      repository_ids?: number[];
      permissions?: Record<string, string>;
    };
    const { permissions = github.githubApp.permissions } = asked;
    const all = [...repositories.values()];
    // By its present name alone: an old one is the name of nothing here.
    const byName = asked.repositories?.map((name) => all.find((one) => one.name.endsWith(`/${name}`))?.id);
    const byId = asked.repository_ids?.map((id) => all.find((one) => one.id === id)?.id);
    const named = byName || byId ? [...(byName ?? []), ...(byId ?? [])] : undefined;
    if (named?.includes(undefined)) {
      return fail(
        reply,
        422,
        'There is at least one repository that does not exist or is not accessible to the parent installation.',
      );
    }
    const lacks = Object.entries(permissions).some(([name, level]) => {
      const has = github.githubApp.permissions[name];
      return has !== 'write' && has !== level;
    });
    if (lacks) return fail(reply, 422, 'The permissions requested are not granted to this installation.');
    const token = `ghs_${randomUUID()}`;
    minted.set(token, { repositories: named?.filter((id) => id !== undefined), permissions });
    const expires_at = new Date(Date.now() + 3_600_000).toISOString();
    return reply.code(201).send({ token, expires_at, permissions, repository_selection: 'selected' });
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
