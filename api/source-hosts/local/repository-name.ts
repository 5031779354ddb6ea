import { join } from 'node:path';
import { SourceHostError } from '../errors.ts';

const segment = /^[a-z0-9][a-z0-9._-]{0,99}$/;

/**
 * The name of a repository from what a user or a git client wrote: `shop`, `shop.git`, `/acme/shop.git`. A name has
 * one or two segments of lower-case letters, digits, `.`, `_` and `-`; so it can leave no folder. Undefined when it
 * is no name.
 */
export function parseRepositoryName(written: string): string | undefined {
  const name = written.replace(/^\//, '').replace(/\.git$/, '');
  const segments = name.split('/');
  // A folder named like a repository would put one repository inside another.
  const valid =
    segments.length <= 2 && segments.every((part) => segment.test(part) && !part.endsWith('.git'));
  return valid ? name : undefined;
}

/** Like {@link parseRepositoryName}, but an impossible name is `repository_not_found`. */
export function requireRepositoryName(written: string): string {
  const name = parseRepositoryName(written);
  if (name !== undefined) return name;
  throw new SourceHostError(
    'repository_not_found',
    `${JSON.stringify(written.slice(0, 200))} cannot be the name of a repository at the local source host. Use lower-case letters, digits, ".", "_" and "-", with at most one folder, such as "shop" or "acme/shop".`,
  );
}

/** Folder of a repository whose name was parsed. */
export function repositoryFolder(repositories: string, name: string): string {
  return join(repositories, `${name}.git`);
}
