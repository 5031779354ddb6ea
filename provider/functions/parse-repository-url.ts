import { FunctionFailure, type ProviderFunction } from '../plugin/provider.ts';

// Of an address, as browsers take it.
const maxLength = 2_000;

/** Where a repository is, from the URL that people copy from their source host. */
export const parseRepositoryUrl: ProviderFunction = {
  summary: 'Parse the URL of a repository',
  description:
    'Takes a URL of a repository as source hosts show it, by HTTPS or SSH (`https://github.com/acme/shop.git`, `git@github.com:acme/shop.git`, `ssh://git@git.example.com:2222/acme/shop`), and gives its `host`, its `repository` as `ebb_project` takes it, and the `name` of the repository alone.',
  parameters: [{ name: 'url', type: 'string', description: 'URL of the repository.' }],
  returns: ['object', { host: 'string', repository: 'string', name: 'string' }],
  call(url) {
    const text = String(url).trim();
    const found = text.length > maxLength ? undefined : (fromUrl(text) ?? fromScpForm(text));
    const repository = found?.path.replace(/^\/+|\/+$/g, '').replace(/\.git$/, '');
    if (!found || !repository || !/^[\w.-]+(\/[\w.-]+)*$/.test(repository)) {
      throw new FunctionFailure(
        `"${withoutUser(text.slice(0, maxLength))}" is no URL of a repository: write it like https://github.com/acme/shop or git@github.com:acme/shop.git.`,
        0,
      );
    }
    return { host: found.host.toLowerCase(), repository, name: repository.split('/').at(-1) ?? '' };
  },
};

function fromUrl(text: string): { host: string; path: string } | undefined {
  if (!/^(https?|ssh|git):\/\//.test(text) || !URL.canParse(text)) return undefined;
  const { hostname, pathname } = new URL(text);
  try {
    return { host: hostname, path: decodeURIComponent(pathname) };
  } catch {
    // A percent sign that begins no character.
    return undefined;
  }
}

/** A token may stand in front of the host. */
function withoutUser(text: string): string {
  return text.replace(/\/\/[^/]*@/, '//');
}

/** The form of scp, `user@host:path`. @see https://git-scm.com/docs/git-clone#_git_urls */
function fromScpForm(text: string): { host: string; path: string } | undefined {
  const [, host, path] = /^(?:[\w.-]+@)?([\w.-]+):(?!\/\/)(\S+)$/.exec(text) ?? [];
  return host && path ? { host, path } : undefined;
}
