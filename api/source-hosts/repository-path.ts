import { SourceHostError } from './errors.ts';

/**
 * The parts of a repository's name at a host where owners have repositories, such as `acme/shop`; groups may have groups
 * in them where `maxDepth` is larger. Throws `repository_not_found` for a name that no repository can have.
 */
export function repositoryParts(repository: string, maxDepth = 2): string[] {
  const parts = repository.split('/');
  const isName = (part: string) => /^[\w.-]{1,100}$/.test(part) && part !== '.' && part !== '..';
  if (parts.length >= 2 && parts.length <= maxDepth && parts.every(isName)) return parts;
  throw new SourceHostError(
    'repository_not_found',
    `"${repository.slice(0, 100)}" cannot be a repository of this host. Write it as owner/name.`,
  );
}
