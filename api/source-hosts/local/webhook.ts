import { createHmac, timingSafeEqual } from 'node:crypto';
import type { WebhookEvent, WebhookRefusal, WebhookRequest } from '../source-host.ts';
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

/** See SourceHost.parseWebhook. The signature is checked before anything of the body is looked at. */
export function parseLocalWebhook({ headers, body, secret }: WebhookRequest): WebhookEvent | WebhookRefusal {
  const signature = headers['x-hub-signature-256'];
  if (signature === undefined)
    return refuse('signature_missing', 'The header X-Hub-Signature-256 is missing.');
  if (body.length > maxBodyBytes)
    return refuse('too_large', `The body is larger than ${maxBodyBytes} bytes.`);
  if (!isSigned(String(signature), body, secret)) {
    return refuse(
      'signature_invalid',
      'X-Hub-Signature-256 does not fit the body and the secret of this hook.',
    );
  }
  const payload = parseJson(body);
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
}

function parsePush(
  payload: Record<string, unknown>,
  delivery: string,
  repository: string,
): WebhookEvent | WebhookRefusal {
  const { ref, before, after, deleted } = payload;
  if (typeof ref !== 'string' || !/^refs\/(heads|tags)\/[^\0-\x20\x7f]{1,400}$/.test(ref)) {
    return refuse('malformed', '"ref" must be a full ref such as "refs/heads/main".');
  }
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
    ...(ref.startsWith('refs/heads/') && { branch: ref.slice('refs/heads/'.length) }),
    before,
    commit: isObjectId(head?.id) ? head.id : after,
    deleted,
    message: firstLine(head?.message),
    author: firstLine(asObject(head?.author)?.name),
  };
}

function isSigned(header: string, body: Buffer, secret: Buffer): boolean {
  const [, hex] = /^sha256=([0-9a-f]{64})$/.exec(header) ?? [];
  if (hex === undefined || secret.length === 0) return false;
  return timingSafeEqual(Buffer.from(hex, 'hex'), createHmac('sha256', secret).update(body).digest());
}

function parseJson(body: Buffer): Record<string, unknown> | undefined {
  try {
    return asObject(JSON.parse(body.toString('utf8')));
  } catch {
    return undefined;
  }
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
}

function isObjectId(value: unknown): value is string {
  return typeof value === 'string' && /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(value);
}

function firstLine(value: unknown): string {
  return typeof value === 'string' ? (value.split('\n', 1)[0] ?? '').slice(0, 500) : '';
}

function refuse(code: WebhookRefusal['code'], message: string): WebhookRefusal {
  return { code, message };
}
