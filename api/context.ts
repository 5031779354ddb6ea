import type { Logger } from 'pino';
import type { BuildQueue } from '../queue/build-queue.ts';
import type { Custody } from './custody/custody.ts';
import type { Database } from './db/database.ts';
import type { Signer } from './signing/signer.ts';
import type { SourceHost } from './source-hosts/source-host.ts';

/** All that the control plane works with; `server.ts` is given it, tests make their own. */
export interface ApiContext {
  database: Database;
  queue: BuildQueue;
  /** By kind: `local`. */
  sourceHosts: ReadonlyMap<string, SourceHost>;
  custody: Custody;
  signer: Signer;
  /** Where people and source hosts reach this API, without a slash at the end. */
  publicUrl: string;
  now: () => Date;
  /** Aborts when the process stops, so that streams end. */
  stopping: AbortSignal;
  log: Logger;
}
