import { createHmac } from 'node:crypto';
import type { ParseWebhook, WebhookEvent, WebhookRefusal } from '../webhook-event.ts';
import {
  asksToSkip,
  asObject,
  firstLine,
  isObjectId,
  isRef,
  type JsonObject,
  parseObject,
  refuse,
  refuseUnsigned,
} from '../webhook-parsing.ts';
import type { CommitSummary } from './refs.ts';
import { parseRepositoryName } from './repository-name.ts';

const maxBodyBytes = 256 * 1024;

/**
 * Body of a delivery, as JSON. Says what happened to one ref. The event and the id of the delivery stand in it, because
 * the signature is over nothing else: who replays it cannot give it another id.
 */
export interface PushPayload {
  event: 'push';
  delivery: string;
  repository: string;
  ref: string;
  before: string;
  after: string;
  deleted: boolean;
  head_commit: CommitSummary | null;
}

/** Headers of a delivery; the signature is over the bytes of `body`. Event and id are repeated for who reads along. */
export function webhookHeaders(delivery: string, body: Buffer, secret: Buffer): Record<string, string> {
  return {
    'content-type': 'application/json',
    'user-agent': 'Ebb local source host',
    'x-ebb-event': 'push',
    'x-ebb-delivery': delivery,
    'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
  };
}

/** See ParseWebhook. The signature is checked before anything of the body is looked at. */
export const parseLocalWebhook: ParseWebhook = (request) => {
  const { body } = request;
  if (body.length > maxBodyBytes)
    return refuse('too_large', `The body is larger than ${maxBodyBytes} bytes.`);
  const unsigned = refuseUnsigned(request, 'X-Hub-Signature-256', /^sha256=([0-9a-f]{64})$/);
  if (unsigned) return unsigned;
  const payload = parseObject(body);
  const delivery = payload?.delivery;
  if (typeof delivery !== 'string' || !/^[\w-]{1,100}$/.test(delivery)) {
    return refuse(
      'malformed',
      'The body must be a JSON object with "delivery", an id of 1 to 100 letters, digits, "-" and "_".',
    );
  }
  const repository = parseRepositoryName(String(payload?.repository ?? ''));
  if (payload === undefined || repository === undefined) {
    return refuse(
      'malformed',
      'The body must be a JSON object with the name of a repository in "repository".',
    );
  }
  const { event } = payload;
  if (event !== 'push') return { event: event === 'ping' ? 'ping' : 'other', delivery, repository };
  return parsePush(payload, delivery, repository);
};

function parsePush(payload: JsonObject, delivery: string, repository: string): WebhookEvent | WebhookRefusal {
  const { ref, before, after, deleted } = payload;
  if (!isRef(ref)) return refuse('malformed', '"ref" must be a full ref such as "refs/heads/main".');
  if (!isObjectId(before) || !isObjectId(after)) {
    return refuse(
      'malformed',
      '"before" and "after" must be full object ids of 40 or 64 hexadecimal digits.',
    );
  }
  if (typeof deleted !== 'boolean') return refuse('malformed', '"deleted" must be true or false.');
  const head = asObject(payload.head_commit);
  return {
    event: 'push',
    delivery,
    repository,
    ref,
    before,
    commit: isObjectId(head?.id) ? head.id : after,
    deleted,
    message: firstLine(head?.message),
    author: firstLine(asObject(head?.author)?.name),
    skip: asksToSkip(head?.message),
  };
}
