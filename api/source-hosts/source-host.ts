import type { HookEvent } from '../../contract/hook-binding.ts';

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
  /**
   * Throws `repository_not_found` or `repository_moved` with what to do about it. `id` is what a rename does not change,
   * where the host has such an id; `defaultBranch` is a short name such as `main`.
   */
  inspect(repository: string, signal: AbortSignal): Promise<{ id?: string; defaultBranch: string }>;
  /** The commit that a full ref such as `refs/heads/main` points at; undefined when there is no such ref. */
  resolveRef(repository: string, ref: string, signal: AbortSignal): Promise<{ commit: string } | undefined>;
  /** Where a build clones from. Looks nothing up; throws `repository_not_found` for an impossible name. */
  clone(repository: string): CloneSource;

  /** Adds a key that can only read. Adding the same key again gives the same id. Throws `key_in_use`. */
  addDeployKey(repository: string, key: NewDeployKey, signal: AbortSignal): Promise<{ id: string }>;
  findDeployKey(repository: string, id: string, signal: AbortSignal): Promise<HostedDeployKey | undefined>;
  /**
   * The same key, under whichever id and with whatever rights: somebody may have added it again by hand. Goes after a
   * repository that was renamed; throws `repository_not_found`.
   */
  lookUpDeployKey(
    repository: string,
    publicKey: string,
    signal: AbortSignal,
  ): Promise<HostedDeployKey | undefined>;
  /** When it resolves, the key opens nothing any more. A repository that is gone has no key: `absent`. */
  removeDeployKey(repository: string, id: string, signal: AbortSignal): Promise<Removal>;

  /**
   * Adding a hook with the same url again, or with its id, renews all that Ebb set; the id is the same unless the host
   * needs a new hook for that.
   */
  addHook(repository: string, hook: NewHook, signal: AbortSignal): Promise<{ id: string }>;
  findHook(repository: string, id: string, signal: AbortSignal): Promise<HostedHook | undefined>;
  /** A hook with this url, under whichever id. Goes after a repository that was renamed; throws `repository_not_found`. */
  lookUpHook(repository: string, url: string, signal: AbortSignal): Promise<{ id: string } | undefined>;
  /** When it resolves, nothing more is delivered. A repository that is gone has no hook: `absent`. */
  removeHook(repository: string, id: string, signal: AbortSignal): Promise<Removal>;

  /**
   * Every branch with the commit that it points at. Throws `refused` when the host gives them in pages and there are
   * more than `maxBranches`, and when one answer with all of them is larger than any may be.
   */
  listBranches(repository: string, signal: AbortSignal): Promise<Branch[]>;
  /** What a commit says of itself; undefined when there is no such commit. */
  describeCommit(repository: string, commit: string, signal: AbortSignal): Promise<Commit | undefined>;

  /** Shows the state of a build beside its commit. Absent where a host has no place for it. */
  reportStatus?(repository: string, status: CommitStatus, signal: AbortSignal): Promise<void>;
  /** Deliveries of a hook that Ebb did not take, newest first. Absent where a host keeps no log, or tries again itself. */
  failedDeliveries?(
    repository: string,
    hookId: string,
    since: Date,
    signal: AbortSignal,
  ): Promise<Delivery[]>;
  /** Has the host forget the connection's credential, for all who use it. Absent where a credential cannot end itself. */
  endCredential?(signal: AbortSignal): Promise<void>;
  /** Has the host deliver it once more, to the same url and signed anew. */
  redeliver?(repository: string, hookId: string, deliveryId: string, signal: AbortSignal): Promise<void>;
}

/** How many branches of a repository Ebb looks at where they come in pages. */
export const maxBranches = 1000;

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
  /** The hook that is to be like this, where there is one already; if it is gone, another is added. */
  id?: string | undefined;
  url: string;
  /** Signs what is delivered; the caller wipes it after the call. */
  secret: Buffer;
  events: readonly HookEvent[];
}

export interface HostedHook {
  id: string;
  url: string;
  events: HookEvent[];
  /**
   * False when the host has stopped delivering, delivers to whoever answers (without TLS verification), leaves out
   * something (a filter of its own), or delivers in a way that Ebb does not take (without a signature, not as JSON).
   */
  active: boolean;
}

export interface Branch {
  name: string;
  commit: string;
}

export interface Commit {
  /** Whole message. */
  message: string;
  author: string;
}

export interface CommitStatus {
  commit: string;
  state: 'pending' | 'success' | 'failure' | 'error';
  /** Tells this status from those of others, such as `ebb/shop`. */
  context: string;
  /** A sentence of at most 140 characters. */
  description: string;
  url: string;
}

/** One entry in a host's log of deliveries. */
export interface Delivery {
  /** What `redeliver` takes. */
  id: string;
  /** What the request was marked with: {@link WebhookEvent.delivery}. */
  delivery: string;
}
