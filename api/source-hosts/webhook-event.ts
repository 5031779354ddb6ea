import type { IncomingHttpHeaders } from 'node:http';

export interface WebhookRequest {
  /** With names in lower case, as Node gives them. */
  headers: IncomingHttpHeaders;
  /** The body's bytes as they came: the signature is over them. */
  body: Buffer;
  secret: Buffer;
}

/** Pure: verifies one webhook request against the hook's secret and translates it. */
export type ParseWebhook = (request: WebhookRequest) => WebhookEvent | WebhookRefusal;

export type WebhookEvent = PushEvent | PullRequestEvent | OtherEvent;

/** Of every event. All of it can be stored: well-formed text without control characters. */
interface AnyEvent {
  /** Identifies the delivery; a repeated delivery has the same. */
  delivery: string;
  repository: string;
  /** The repository's own id, which a rename does not change, where the host has one. */
  repositoryId?: string;
  /** When it happened, by the clock of a host that says so: RFC 3339, UTC. */
  at?: string;
  /** The host says nothing that differs when the same happens again, and vouches for the delivery's id. */
  bodyMayRepeat?: true;
}

export interface PushEvent extends AnyEvent {
  event: 'push';
  /** Such as `refs/heads/main`. */
  ref: string;
  /** Commit before the push; 40 or 64 zeros when the ref is new. */
  before: string;
  /** Commit after the push; zeros when the ref was deleted. */
  commit: string;
  deleted: boolean;
  /** First line of the commit's message; empty when the ref was deleted. */
  message: string;
  /** Name of the commit's author; empty when the ref was deleted. */
  author: string;
  /** The commit's message asks for no build. */
  skip: boolean;
}

export interface PullRequestEvent extends AnyEvent {
  event: 'pull_request';
  /** `changed`: there is a commit that was not there before, or the request is open again. */
  action: 'changed' | 'closed' | 'other';
  number: number;
  /** Where the host keeps its head, such as `refs/pull/7/head`. */
  ref: string;
  commit: string;
  /** Branch that it comes from, and branch that it is to go into. */
  headBranch: string;
  baseBranch: string;
  /** Whether it comes from another repository than the one it is to go into. */
  fromFork: boolean;
  title: string;
  author: string;
}

/** Authentic, but starts nothing. */
export interface OtherEvent extends AnyEvent {
  event: 'ping' | 'other';
}

/** A request that is not to be believed (`signature_…`) or not to be understood; has a sentence for the sender. */
export interface WebhookRefusal {
  code: 'signature_missing' | 'signature_invalid' | 'too_large' | 'malformed';
  message: string;
}

export function isRefusal(result: WebhookEvent | WebhookRefusal): result is WebhookRefusal {
  return 'code' in result;
}
