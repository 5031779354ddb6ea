import type { ClientKey, GitClient } from '../git-client.ts';
import type { SourceHost } from '../source-host.ts';
import type { ParseWebhook } from '../webhook-event.ts';

/** A source host to test, with two repositories in it that have the default branch `main` and no commit yet. */
export interface SourceHostFixture {
  host: SourceHost;
  parseWebhook: ParseWebhook;
  repository: string;
  otherRepository: string;
  missingRepository: string;
  /** Opens a pull request from a fork, or from the repository itself; absent where the host has none. */
  openPullRequest?(
    repository: string,
    request: { number: number; commit: string; branch: string; fork: boolean },
  ): Promise<void>;
  /** What the host shows beside a commit, newest last; absent where it has no statuses. */
  statusesOf?(repository: string, commit: string): { state: string; context: string }[];
  /** The host takes one deploy key for several repositories, and refuses only those of accounts. */
  sharesDeployKeys?: boolean;
  /** Lets this key push to both repositories. */
  authorizeDeveloper(publicKey: string): Promise<void>;
  close(): Promise<void>;
}

/** The fixture of a suite that runs, with a developer who may push. */
export type Running = () => SourceHostFixture & { client: GitClient; developer: ClientKey };

export const signal = AbortSignal.timeout(120_000);
