import type { Connection } from '../../contract/connection.ts';
import { giteaKind } from './gitea.ts';
import { githubKind } from './github/github-kind.ts';
import { gitlabKind } from './gitlab.ts';
import { localKind } from './local/local-kind.ts';
import type { SourceHost } from './source-host.ts';
import type { HostKind } from './source-hosts.ts';

/** Every kind of source host that Ebb serves; `local` where there is one. */
export function hostKinds(local: SourceHost | undefined): Partial<Record<Connection['kind'], HostKind>> {
  const hosted = { github: githubKind(), gitlab: gitlabKind(), gitea: giteaKind() };
  return { ...hosted, ...(local ? { local: localKind(local) } : {}) };
}
