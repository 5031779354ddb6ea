import type { Connection } from '../../contract/connection.ts';
import { githubKind } from './github/github-kind.ts';
import { localKind } from './local/local-kind.ts';
import type { SourceHost } from './source-host.ts';
import type { HostKind } from './source-hosts.ts';

/** Every kind of source host that Ebb serves; `local` where there is one. */
export function hostKinds(local: SourceHost | undefined): Partial<Record<Connection['kind'], HostKind>> {
  return { github: githubKind(), ...(local ? { local: localKind(local) } : {}) };
}
