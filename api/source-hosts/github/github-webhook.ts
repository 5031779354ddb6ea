import type { ParseWebhook, WebhookEvent, WebhookRefusal } from '../webhook-event.ts';
import {
  asksToSkip,
  asObject,
  firstLine,
  hookSecretText,
  idOf,
  isObjectId,
  isRef,
  isZeros,
  type JsonObject,
  parseObject,
  refuse,
  refuseUnsigned,
  timeOf,
} from '../webhook-parsing.ts';

type About = Pick<WebhookEvent, 'delivery' | 'repository' | 'repositoryId'>;

/**
 * See ParseWebhook. The signature is checked before anything of the body is looked at; event and delivery stand in
 * headers, which GitHub does not sign.
 *
 * @see https://docs.github.com/en/webhooks/webhook-events-and-payloads
 */
export const parseGithubWebhook: ParseWebhook = (request) => {
  const { headers, body } = request;
  const secret = Buffer.from(hookSecretText(request.secret));
  const unsigned = refuseUnsigned({ ...request, secret }, 'X-Hub-Signature-256', /^sha256=([0-9a-f]{64})$/);
  secret.fill(0);
  if (unsigned) return unsigned;
  const delivery = idOf(headers['x-github-delivery']);
  if (delivery === undefined) {
    return refuse('malformed', 'X-GitHub-Delivery must be an id of 1 to 100 letters, digits and "-".');
  }
  const payload = parseObject(body);
  if (payload === undefined) {
    const isForm = /^application\/x-www-form-urlencoded/i.test(headers['content-type'] ?? '');
    const fix = isForm ? ' Set the content type of the hook to application/json.' : '';
    return refuse('malformed', `The body must be a JSON object in UTF-8.${fix}`);
  }
  return parseEvent(headers['x-github-event'], payload, delivery);
};

/** An event in the form that GitHub gave the world; Gitea and Forgejo send the same. */
export function parseEvent(
  name: unknown,
  payload: JsonObject,
  delivery: string,
): WebhookEvent | WebhookRefusal {
  const repository = asObject(payload.repository);
  const fullName = repository?.full_name;
  const id = idOf(repository?.id);
  const isNamed = typeof fullName === 'string' && /^[\w.-]{1,100}\/[\w.-]{1,100}$/.test(fullName);
  if (!isNamed || id === undefined) {
    const detail = 'The body must name the repository: "repository" with "id" and "full_name".';
    return refuse('malformed', detail);
  }
  const about = { delivery, repository: fullName, repositoryId: id };
  if (name === 'push') return parsePush(payload, about);
  if (name === 'pull_request') return parsePullRequest(payload, about);
  return { event: name === 'ping' ? 'ping' : 'other', ...about };
}

function parsePush(payload: JsonObject, about: About): WebhookEvent | WebhookRefusal {
  const { ref, before, after } = payload;
  if (!isRef(ref)) return refuse('malformed', '"ref" must be a full ref such as "refs/heads/main".');
  if (!isObjectId(before) || !isObjectId(after)) {
    return refuse('malformed', '"before" and "after" must be full object ids.');
  }
  const head = asObject(payload.head_commit);
  const at = timeOf(asObject(payload.repository)?.pushed_at);
  const deleted = isZeros(after);
  return {
    event: 'push',
    ...about,
    ...(at ? { at } : {}),
    ref,
    before,
    // Of an annotated tag `after` is the tag itself.
    commit: !deleted && isObjectId(head?.id) ? head.id : after,
    deleted,
    message: deleted ? '' : firstLine(head?.message),
    author: deleted ? '' : firstLine(asObject(head?.author)?.name),
    skip: !deleted && asksToSkip(head?.message),
  };
}

// Gitea writes `synchronized`.
const changes = ['opened', 'reopened', 'synchronize', 'synchronized'];

function parsePullRequest(payload: JsonObject, about: About): WebhookEvent | WebhookRefusal {
  const { action, number } = payload;
  const request = asObject(payload.pull_request);
  const head = asObject(request?.head);
  const base = asObject(request?.base);
  const commit = head?.sha;
  if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < 1) {
    return refuse('malformed', '"number" must be the number of the pull request.');
  }
  if (!isObjectId(commit) || !isRef(`refs/heads/${head?.ref}`) || !isRef(`refs/heads/${base?.ref}`)) {
    const detail =
      '"pull_request" must have "head" with "sha" and "ref" of a branch, and "base" with the "ref" of one.';
    return refuse('malformed', detail);
  }
  const from = idOf(asObject(head?.repo)?.id);
  const at = timeOf(request?.updated_at);
  return {
    event: 'pull_request',
    ...about,
    ...(at ? { at } : {}),
    action: changes.includes(String(action)) ? 'changed' : action === 'closed' ? 'closed' : 'other',
    number,
    ref: `refs/pull/${number}/head`,
    commit,
    headBranch: String(head?.ref),
    baseBranch: String(base?.ref),
    // A fork that was deleted is a fork.
    fromFork: from === undefined || from !== about.repositoryId,
    title: firstLine(request?.title),
    author: firstLine(asObject(request?.user)?.login),
  };
}
