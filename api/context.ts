import type { Logger } from 'pino';
import type { BuildQueue } from '../queue/build-queue.ts';
import type { RefusalAudit } from './audit/audit-refusals.ts';
import type { Custody } from './custody/custody.ts';
import type { Database } from './db/database.ts';
import type { Mailer } from './mail/mailer.ts';
import type { ApiMetrics } from './metrics/api-metrics.ts';
import type { GithubLogin } from './people/github/github-login.ts';
import type { SignUp } from './people/sign-up.ts';
import type { Signer } from './signing/signer.ts';
import type { SourceHosts } from './source-hosts/source-hosts.ts';
import type { TokenSigner } from './token-keys/token-signer.ts';

/** All that the control plane works with; `server.ts` is given it, tests make their own. */
export interface ApiContext {
  database: Database;
  queue: BuildQueue;
  sourceHosts: SourceHosts;
  custody: Custody;
  /** Reaches addresses that teams name, and none that they must not reach through Ebb. */
  fetch: typeof globalThis.fetch;
  auditRefusal: RefusalAudit;
  signer: Signer;
  /** Signs and verifies access tokens. */
  tokens: TokenSigner;
  /** Where people and source hosts reach this API, without a slash at the end. */
  publicUrl: string;
  now: () => Date;
  /** Aborts when the process stops, so that streams end. */
  stopping: AbortSignal;
  log: Logger;
  /** What is counted; absent where nobody asks. */
  metrics?: ApiMetrics | undefined;
  /** Where mails go; absent where none can be sent. */
  mailer?: Mailer | undefined;
  signUp: SignUp;
  /** Signing in by GitHub; absent where the operator did not configure it. */
  github?: GithubLogin | undefined;
}
