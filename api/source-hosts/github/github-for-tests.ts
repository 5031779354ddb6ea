import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createStandIn, startGitBehind } from '../rest/stand-in-for-tests.ts';
import { addContents } from './github-contents-for-tests.ts';
import { type Attempt, addHooks, send } from './github-hooks-for-tests.ts';
import { addKeys } from './github-keys-for-tests.ts';
import { pullRequestPayload, pushPayload, repositoryPayload } from './github-payloads-for-tests.ts';
import {
  basePath,
  type Delivery,
  description,
  type GithubRepository,
  type GithubRoutes,
  type GithubStandIn,
  type Hook,
  type Minted,
  repo,
  send200,
} from './github-state-for-tests.ts';
import { addTokens } from './github-tokens-for-tests.ts';

export type { GithubStandIn } from './github-state-for-tests.ts';

export async function startGithub(root: string): Promise<GithubStandIn> {
  const repositories = new Map<string, GithubRepository>();
  // Where redirects of renamed repositories go; the description leaves these paths out.
  const stand = createStandIn(description, basePath, (target) =>
    target.replace(/\/repositories\/(\d+)/, (_, id) => {
      const found = [...repositories.values()].find((repository) => String(repository.id) === id);
      return `/repos/${found?.name ?? `nobody/${id}`}`;
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
  const minted = new Map<string, Minted>();
  let lastId = 1_000;
  const nextId = () => ++lastId;
  let deliveries: Promise<unknown> = Promise.resolve();

  const git = await startGitBehind(root, async (push) => {
    const repository = [...repositories.values()].find(({ gitName }) => gitName === push.repository);
    if (!repository) return;
    await github
      .deliver(repository.name, 'push', pushPayload(toPayload(repository), push))
      .catch((error) => stand.violations.push(String(error)));
  });
  const toPayload = (repository: GithubRepository) => repositoryPayload(repository, github.url);

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
      const id = nextId();
      const gitName = moved.has(name) ? `${name}-${id}` : name;
      const repository: GithubRepository = {
        ...{ id, name, gitName, folder: await git.createRepository(gitName) },
        ...{ archived: false, keysForbidden: false },
        ...{ keys: new Map(), hooks: new Map(), deliveries: new Map(), statuses: [] },
      };
      repositories.set(name, repository);
      return repository;
    },
    rename(name, newName) {
      const repository = github.repository(name);
      repositories.delete(name);
      repositories.set(newName, Object.assign(repository, { name: newName }));
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
    { guid, event, body, redelivery }: Attempt,
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

  const routes: GithubRoutes = {
    ...{ app, github, repositories, moved, nextId, toPayload },
    of(request) {
      const { owner, repo } = request.params as { owner: string; repo: string };
      return github.repository(`${owner}/${repo}`);
    },
  };
  addTokens(routes, { minted, publicKey });
  app.get(repo, (request, reply) => send200(reply, request, toPayload(routes.of(request))));
  addKeys(routes);
  addHooks(routes, attempt);
  addContents(routes);
  github.url = await stand.listen();
  return github;
}
