import { unlessGone } from '../errors.ts';
import { repositoryParts } from '../repository-path.ts';
import { objectOf } from '../rest/fields.ts';
import type { HostMemory } from '../rest/host-memory.ts';
import type { SourceHost } from '../source-host.ts';
import type { HostAccess } from '../source-hosts.ts';
import { sshAddress } from '../ssh-address.ts';
import { createGithubApi, type GithubApi } from './github-api.ts';
import { checkCredential } from './github-connect.ts';
import { describeCommit, listBranches, reportStatus, resolveRef } from './github-contents.ts';
import { failedDeliveries, redeliver } from './github-deliveries.ts';
import { addHook, findHook, lookUpHook, removeHook } from './github-hooks.ts';
import { inspect, withIdentity } from './github-identity.ts';
import { addKey, findKey, lookUpKey, removeKey } from './github-keys.ts';

/** GitHub, or GitHub Enterprise, with the credential of one connection. A repository is `owner/name`. */
export function createGithubSourceHost(access: HostAccess, memory: HostMemory): SourceHost {
  const api = withIdentity(createGithubApi(access, memory));
  const at = <T extends unknown[], R>(
    call: (api: GithubApi, repository: string, ...rest: T) => Promise<R>,
  ) => {
    return async (repository: string, ...rest: T) =>
      await call(api, repositoryParts(repository).join('/'), ...rest);
  };
  return {
    kind: 'github',
    async connect(signal) {
      await checkCredential(api, signal);
      return { hostKeys: await publishedKeys(api, signal) };
    },
    inspect: at(inspect),
    resolveRef: at(resolveRef),
    clone(repository) {
      const path = `/${repositoryParts(repository).join('/')}.git`;
      const { host, port } = sshAddress(access, 'https://github.com');
      return { user: 'git', host, port, path, hostKeys: access.hostKeys };
    },
    addDeployKey: at(addKey),
    findDeployKey: unlessImpossible(at(findKey), undefined),
    lookUpDeployKey: at(lookUpKey),
    removeDeployKey: unlessImpossible(at(removeKey), 'absent' as const),
    addHook: at(addHook),
    findHook: unlessImpossible(at(findHook), undefined),
    lookUpHook: at(lookUpHook),
    removeHook: unlessImpossible(at(removeHook), 'absent' as const),
    listBranches: at(listBranches),
    describeCommit: at(describeCommit),
    reportStatus: at(reportStatus),
    failedDeliveries: at(failedDeliveries),
    redeliver: at(redeliver),
  };
}

/** What has an impossible name is not there. */
function unlessImpossible<T extends unknown[], R, D>(call: (...args: T) => Promise<R>, otherwise: D) {
  return async (...args: T): Promise<R | D> => await unlessGone(() => call(...args), otherwise);
}

/** @see https://docs.github.com/en/rest/meta/meta#get-github-meta-information */
async function publishedKeys(api: GithubApi, signal: AbortSignal): Promise<string[]> {
  const meta = objectOf(await api.askAtLarge({ method: 'GET', path: '/meta', signal }));
  const { ssh_keys: keys } = meta;
  return Array.isArray(keys) ? keys.filter((key) => typeof key === 'string') : [];
}
