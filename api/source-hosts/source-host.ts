import type { IncomingHttpHeaders } from 'node:http';

/**
 * What Ebb needs from a place where source lives. Each kind is one folder beside this file and passes
 * `conformance.ts`.
 *
 * A repository is named as its host names it (`shop`, `acme/shop`). What fails throws a SourceHostError; asking for
 * something that is gone is no failure.
 */
export interface SourceHost {
  readonly kind: string;
  /**
   * Checks that the connection's credential is good for what Ebb does at this host, and gives the SSH keys of the host to
   * pin. Throws `refused` with the permission that is missing.
   */
  connect(signal: AbortSignal): Promise<{ hostKeys: string[] }>;
  /** Throws `repository_not_found` with what to do about it. `defaultBranch` is a short name such as `main`. */
  inspect(repository: string, signal: AbortSignal): Promise<{ defaultBranch: string }>;
  /** The commit that a full ref such as `refs/heads/main` points at; undefined when there is no such ref. */
  resolveRef(repository: string, ref: string, signal: AbortSignal): Promise<{ commit: string } | undefined>;
  /** Where a build clones from. Looks nothing up; throws `repository_not_found` for an impossible name. */
  clone(repository: string): CloneSource;

  /** Adds a key that can only read. Adding the same key again gives the same id. Throws `key_in_use`. */
  addDeployKey(repository: string, key: NewDeployKey, signal: AbortSignal): Promise<{ id: string }>;
  findDeployKey(repository: string, id: string, signal: AbortSignal): Promise<HostedDeployKey | undefined>;
  /** When it resolves, the key opens nothing any more. A repository that is gone has no key: `absent`. */
  removeDeployKey(repository: string, id: string, signal: AbortSignal): Promise<Removal>;

  /** Adding a hook with the same url again gives the same id and renews its secret and events. */
  addHook(repository: string, hook: NewHook, signal: AbortSignal): Promise<{ id: string }>;
  findHook(repository: string, id: string, signal: AbortSignal): Promise<HostedHook | undefined>;
  /** When it resolves, nothing more is delivered. A repository that is gone has no hook: `absent`. */
  removeHook(repository: string, id: string, signal: AbortSignal): Promise<Removal>;

  /** Pure: verifies one webhook request against the hook's secret and translates it. */
  parseWebhook(request: WebhookRequest): WebhookEvent | WebhookRefusal;
}

export type Removal = 'removed' | 'absent';

/** An SSH address: `ssh://user@host:port/path`. */
export interface CloneSource {
  user: string;
  host: string;
  port: number;
  /** Begins with a slash. */
  path: string;
  /** The host's SSH keys to pin, one OpenSSH line each (`ssh-ed25519 AAAA…`), without a comment. */
  hostKeys: string[];
}

export interface NewDeployKey {
  title: string;
  /** One line in OpenSSH format. */
  publicKey: string;
}

export interface HostedDeployKey extends NewDeployKey {
  id: string;
}

export interface NewHook {
  url: string;
  /** Signs what is delivered; the caller wipes it after the call. */
  secret: Buffer;
  /** Names of events in Ebb's words, such as `push`. */
  events: string[];
}

export interface HostedHook {
  id: string;
  url: string;
  events: string[];
  /** False when the host has stopped delivering. */
  active: boolean;
}

export interface WebhookRequest {
  /** With names in lower case, as Node gives them. */
  headers: IncomingHttpHeaders;
  /** The body's bytes as they came: the signature is over them. */
  body: Buffer;
  secret: Buffer;
}

export type WebhookEvent = PushEvent | OtherEvent;

export interface PushEvent {
  event: 'push';
  /** Identifies the delivery; a repeated delivery has the same. */
  delivery: string;
  repository: string;
  /** Such as `refs/heads/main`. */
  ref: string;
  /** The branch's short name; undefined when the ref is a tag. */
  branch?: string;
  /** Commit before the push; 40 or 64 zeros when the ref is new. */
  before: string;
  /** Commit after the push; zeros when the ref was deleted. */
  commit: string;
  deleted: boolean;
  /** First line of the commit's message; empty when the ref was deleted. */
  message: string;
  /** Name of the commit's author; empty when the ref was deleted. */
  author: string;
}

/** Authentic, but starts nothing. */
export interface OtherEvent {
  event: 'ping' | 'other';
  delivery: string;
  repository: string;
}

/** A request that is not to be believed (`signature_…`) or not to be understood; has a sentence for the sender. */
export interface WebhookRefusal {
  code: 'signature_missing' | 'signature_invalid' | 'too_large' | 'malformed';
  message: string;
}

export function isRefusal(result: WebhookEvent | WebhookRefusal): result is WebhookRefusal {
  return 'code' in result;
}
