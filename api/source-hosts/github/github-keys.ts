import { SourceHostError, unlessGone } from '../errors.ts';
import { idOf, listOf, objectOf, textOf } from '../rest/fields.ts';
import { isStatus, RestError } from '../rest/rest-error.ts';
import type { HostedDeployKey, NewDeployKey, Removal } from '../source-host.ts';
import type { GithubApi } from './github-api.ts';

const write = { administration: 'write' } as const;
const maxPages = 10;

/** Adds a read-only key. @see https://docs.github.com/en/rest/deploy-keys/deploy-keys#create-a-deploy-key */
export async function addKey(
  api: GithubApi,
  repository: string,
  { title, publicKey }: NewDeployKey,
  signal: AbortSignal,
): Promise<{ id: string }> {
  const path = `/repos/${repository}/keys`;
  const body = { title, key: publicKey, read_only: true };
  try {
    return { id: idOf(objectOf(await api.ask(repository, write, { method: 'POST', path, body, signal }))) };
  } catch (error) {
    if (!isStatus(error, 422, 403) || error.code !== 'refused') throw error;
    if (/already in use/i.test(error.message)) return await sameKey(api, repository, publicKey, signal);
    throw explained(error);
  }
}

/** The key is at GitHub: ours from an attempt before, or somebody else's. */
async function sameKey(
  api: GithubApi,
  repository: string,
  publicKey: string,
  signal: AbortSignal,
): Promise<{ id: string }> {
  const same = await listedKey(api, repository, publicKey, signal);
  if (same && same.read_only !== true) {
    const message = 'GitHub has this key already, with write access. Remove it there, then try again.';
    throw new SourceHostError('refused', message);
  }
  if (same) return { id: idOf(same) };
  const message =
    'GitHub has this key already, at another repository or account, and allows every key once. Remove it there.';
  throw new SourceHostError('key_in_use', message);
}

/** @see https://docs.github.com/en/rest/deploy-keys/deploy-keys#list-deploy-keys */
async function listedKey(api: GithubApi, repository: string, publicKey: string, signal: AbortSignal) {
  for (let page = 1; page <= maxPages; page += 1) {
    const path = `/repos/${repository}/keys?per_page=100&page=${page}`;
    const request = { method: 'GET', path, signal, follow: true } as const;
    const keys = listOf(await api.ask(repository, { administration: 'read' }, request));
    const same = keys.find((key) => blob(textOf(key, 'key')) === blob(publicKey));
    if (same || keys.length < 100) return same;
  }
  throw new SourceHostError('refused', `The repository has more than ${maxPages * 100} deploy keys.`);
}

export async function lookUpKey(
  api: GithubApi,
  repository: string,
  publicKey: string,
  signal: AbortSignal,
): Promise<HostedDeployKey | undefined> {
  const key = await listedKey(api, repository, publicKey, signal);
  return key && { id: idOf(key), title: textOf(key, 'title'), publicKey: textOf(key, 'key') };
}

function blob(line: string): string | undefined {
  return line.split(' ')[1];
}

function explained(error: RestError): RestError {
  const say = (message: string) => new RestError('refused', message, error.answer);
  if (/archived/i.test(error.message))
    return say('The repository is archived at GitHub, where it takes no key. Unarchive it, then try again.');
  if (/deploy keys? (are|is|have been) disabled/i.test(error.message))
    return say(
      "The organisation's policy at GitHub forbids deploy keys. An owner allows them under Settings, Deploy keys.",
    );
  return error;
}

export async function findKey(
  api: GithubApi,
  repository: string,
  id: string,
  signal: AbortSignal,
): Promise<HostedDeployKey | undefined> {
  const path = `/repos/${repository}/keys/${encodeURIComponent(id)}`;
  return await unlessGone(async () => {
    const key = objectOf(
      await api.ask(repository, { administration: 'read' }, { method: 'GET', path, signal, follow: true }),
    );
    return { id: idOf(key), title: textOf(key, 'title'), publicKey: textOf(key, 'key') };
  });
}

export async function removeKey(
  api: GithubApi,
  repository: string,
  id: string,
  signal: AbortSignal,
): Promise<Removal> {
  const path = `/repos/${repository}/keys/${encodeURIComponent(id)}`;
  return await unlessGone(async () => {
    await api.ask(repository, write, { method: 'DELETE', path, signal, follow: true });
    return 'removed' as const;
  }, 'absent' as const);
}
