import type { Selectable } from 'kysely';
import type { HookEvent } from '../../contract/hook-binding.ts';
import { openCredential } from '../connections/credential.ts';
import type { Custody } from '../custody/custody.ts';
import type { Schema } from '../db/schema.ts';
import { SourceHostError } from './errors.ts';
import type { SourceHost } from './source-host.ts';
import type { ParseWebhook } from './webhook-event.ts';

/** A connection as its source host needs it; `hostColumns` select it beside a project. */
export type HostConnection = { connection_id: string } & Pick<
  Selectable<Schema['connection']>,
  'kind' | 'url' | 'ssh_address' | 'app_id' | 'installation_id' | 'host_keys' | 'sealed_credential'
> &
  // Of a project, where it is about one: so that its repository is found under another name.
  Partial<Pick<Selectable<Schema['project']>, 'repository' | 'repository_id'>>;

export const hostColumns = [
  'connection.id as connection_id',
  'connection.kind',
  'connection.url',
  'connection.ssh_address',
  'connection.app_id',
  'connection.installation_id',
  'connection.host_keys',
  'connection.sealed_credential',
] as const;

/** What a kind of source host is made from, for one connection. */
export interface HostAccess {
  /** Address of the site, without a slash at the end; undefined for the public one. */
  url: string | undefined;
  /** Where Git is served over SSH, `name:port`, when it is not port 22 of the site. */
  sshAddress: string | undefined;
  appId: string | undefined;
  installationId: string | undefined;
  /** Pinned SSH host keys, OpenSSH lines. */
  hostKeys: string[];
  connectionId: string;
  /** The repository that the calls are about, when its id at the host is known: a rename does not change that. */
  repository?: { name: string; id: string } | undefined;
  fetch: typeof globalThis.fetch;
  /** Token or private key; opened for one call, the caller wipes it. */
  credential(): Promise<Buffer>;
}

/** One kind of source host. */
export interface HostKind {
  /** Events that its hooks can be bound to. */
  events: readonly HookEvent[];
  /** Whether the host tells its SSH host keys, so that they can be asked for again. */
  publishesHostKeys: boolean;
  parseWebhook: ParseWebhook;
  /** Where a person looks after deploy keys or hooks of a repository; null where there is no such page. */
  settingsPage(url: string | undefined, repository: string, of: 'deploy_keys' | 'hooks'): string | null;
  open(access: HostAccess): SourceHost;
}

type Kind = HostConnection['kind'];

/** The source hosts that this installation serves. */
export interface SourceHosts {
  readonly kinds: readonly string[];
  /** Undefined when it is not served here. */
  kind(kind: Kind): HostKind | undefined;
  /** The host of a connection; undefined when its kind is not served here. */
  of(connection: HostConnection): SourceHost | undefined;
}

/**
 * @param kinds those that are served
 * @param options.onRefused told when a host does not take a credential any more, a repository is gone, or has too many
 *   branches
 * @param options.fetch reaches hosts at the addresses that teams name
 */
export function createSourceHosts(
  custody: Custody,
  kinds: Partial<Record<Kind, HostKind>>,
  options: {
    onRefused?: (connectionId: string, error: SourceHostError) => void;
    fetch?: typeof globalThis.fetch;
  } = {},
): SourceHosts {
  const { onRefused = () => {}, fetch = globalThis.fetch } = options;
  const toldOnce = new Set<string>();
  const open = (connection: HostConnection) =>
    kinds[connection.kind]?.open({
      url: connection.url ?? undefined,
      sshAddress: connection.ssh_address ?? undefined,
      appId: connection.app_id ?? undefined,
      installationId: connection.installation_id ?? undefined,
      hostKeys: connection.host_keys,
      connectionId: connection.connection_id,
      repository: repositoryOf(connection),
      fetch,
      credential: () => openCredential(custody, connection),
    });
  return {
    kinds: Object.keys(kinds),
    kind: (kind) => kinds[kind],
    of(connection) {
      const host = open(connection);
      return host && tellRefusals(host, (error) => onRefused(connection.connection_id, error), toldOnce);
    },
  };
}

function repositoryOf({ repository: name, repository_id: id }: HostConnection): HostAccess['repository'] {
  return name === undefined || typeof id !== 'string' ? undefined : { name, id };
}

const telling = ['unauthorized', 'repository_not_found', 'repository_moved'];

const maxTold = 10_000;

/** The same host, which tells of answers that a team should be able to look up later. */
function tellRefusals(
  host: SourceHost,
  tell: (error: SourceHostError) => void,
  toldOnce: Set<string>,
): SourceHost {
  const tellOf = (call: string, error: SourceHostError) => {
    if (telling.includes(error.code)) return tell(error);
    // Branches that cannot be listed are not compared, which nobody else notices; once, and not every few minutes.
    if (call !== 'listBranches' || error.code !== 'refused' || toldOnce.has(error.message)) return;
    if (toldOnce.size >= maxTold) toldOnce.clear();
    toldOnce.add(error.message);
    tell(error);
  };
  return new Proxy(host, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function' || name === 'clone') return value;
      return async (...args: unknown[]) => {
        try {
          return await value.apply(target, args);
        } catch (error) {
          if (error instanceof SourceHostError) tellOf(String(name), error);
          throw error;
        }
      };
    },
  });
}
