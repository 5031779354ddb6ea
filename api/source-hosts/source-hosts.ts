import type { Selectable } from 'kysely';
import { openCredential } from '../connections/credential.ts';
import type { Custody } from '../custody/custody.ts';
import type { Schema } from '../db/schema.ts';
import type { SourceHost } from './source-host.ts';

/** A connection as its source host needs it; `hostColumns` select it beside a project. */
export type HostConnection = { connection_id: string } & Pick<
  Selectable<Schema['connection']>,
  'kind' | 'url' | 'app_id' | 'installation_id' | 'host_keys' | 'sealed_credential'
>;

export const hostColumns = [
  'connection.id as connection_id',
  'connection.kind',
  'connection.url',
  'connection.app_id',
  'connection.installation_id',
  'connection.host_keys',
  'connection.sealed_credential',
] as const;

/** What a kind of source host is made from, for one connection. */
export interface HostAccess {
  /** Address of the site, without a slash at the end; undefined for the public one. */
  url: string | undefined;
  appId: string | undefined;
  installationId: string | undefined;
  /** Pinned SSH host keys, OpenSSH lines. */
  hostKeys: string[];
  /** Token or private key; opened for one call, the caller wipes it. */
  credential(): Promise<Buffer>;
}

export type HostFactory = (access: HostAccess) => SourceHost;

/** The source hosts that this installation serves. */
export interface SourceHosts {
  readonly kinds: readonly string[];
  /** The host of a connection; undefined when its kind is not served here. */
  of(connection: HostConnection): SourceHost | undefined;
}

/** @param factories one for each kind that is served */
export function createSourceHosts(
  custody: Custody,
  factories: Partial<Record<HostConnection['kind'], HostFactory>>,
): SourceHosts {
  return {
    kinds: Object.keys(factories),
    of: (connection) =>
      factories[connection.kind]?.({
        url: connection.url ?? undefined,
        appId: connection.app_id ?? undefined,
        installationId: connection.installation_id ?? undefined,
        hostKeys: connection.host_keys,
        credential: () => openCredential(custody, connection),
      }),
  };
}
