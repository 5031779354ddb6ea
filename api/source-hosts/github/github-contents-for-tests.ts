import { inTime } from '../rest/stand-in-for-tests.ts';
import {
  example,
  fail,
  type GithubRepository,
  type GithubRoutes,
  type Json,
  needs,
  page,
  paramsOf,
  repo,
  send200,
} from './github-state-for-tests.ts';

/** What is in a repository, as the git behind has it, and the statuses beside its commits. */
export function addContents({ app, github, of }: GithubRoutes): void {
  const { git } = github;
  const url = () => github.url;
  const toRef = (ref: string, sha: string) => ({
    ...{ ref, node_id: 'MDM6UmVm', url: `${url()}/${ref}` },
    object: { sha, type: 'commit', url: `${url()}/git/${sha}` },
  });
  app.get(`${repo}/git/ref/*`, needs('contents', 'read'), async (request, reply) => {
    const ref = `refs/${paramsOf(request)['*']}`;
    const found = await git.host.resolveRef(of(request).gitName, ref, inTime());
    if (!found) return fail(reply, 404, 'Not Found');
    return send200(reply, request, toRef(ref, found.commit));
  });
  app.get(`${repo}/git/commits/:sha`, needs('contents', 'read'), async (request, reply) => {
    const { sha = '' } = paramsOf(request);
    const found = await git.host.describeCommit(of(request).gitName, sha, inTime());
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
    const branches = await git.host.listBranches(of(request).gitName, inTime());
    const list = branches.map(({ name, commit }) => ({
      ...{ name, protected: false },
      commit: { sha: commit, url: `${url()}/commits/${commit}` },
    }));
    return send200(reply, request, page(request, list));
  });
  // In one answer, however many there are.
  app.get(`${repo}/git/matching-refs/*`, needs('contents', 'read'), async (request, reply) => {
    const prefix = `refs/${paramsOf(request)['*']}`;
    const branches = await git.host.listBranches(of(request).gitName, inTime());
    const refs = branches.map(({ name, commit }) => toRef(`refs/heads/${name}`, commit));
    return send200(
      reply,
      request,
      refs.filter(({ ref }) => ref.startsWith(prefix)),
    );
  });
  app.post(`${repo}/statuses/:sha`, needs('statuses', 'write'), async (request, reply) => {
    const repository = of(request);
    const { sha = '' } = paramsOf(request);
    const known = await git.host.describeCommit(repository.gitName, sha, inTime());
    if (!known) return fail(reply, 422, 'Validation Failed', `No commit found for SHA: ${sha}`);
    const { description = '', ...rest } = request.body as GithubRepository['statuses'][number];
    if (description.length > 140)
      return fail(reply, 422, 'Validation Failed', 'description is too long (maximum is 140 characters)');
    const status = { ...rest, description, sha };
    repository.statuses.push(status);
    const { sha: _, ...shown } = status;
    return reply.code(201).send({ ...example('status'), ...shown });
  });
}
