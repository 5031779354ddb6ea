import { Type } from 'typebox';

/**
 * An identifier: a prefix that tells what it names, an underscore, and a ULID in lower case, so that ids sort by
 * time of creation.
 *
 * @see https://github.com/ulid/spec
 */
export function Id(prefix: string, description: string) {
  return Type.String({ pattern: `^${prefix}_[0-9a-hjkmnp-tv-z]{26}$`, description });
}

/** A moment, RFC 3339 in UTC. */
export function Timestamp(description: string) {
  return Type.String({ format: 'date-time', description });
}

/** A name that people give a thing and that appears in import ids, file names and log lines. */
export function Name(description: string) {
  return Type.String({
    pattern: '^[a-z][a-z0-9-]*[a-z0-9]$',
    minLength: 2,
    maxLength: 40,
    description: `${description} Lower-case letters, digits and hyphens; it starts with a letter and does not end with a hyphen.`,
  });
}

/**
 * The short name of a branch, such as `main` or `release/1`.
 *
 * @see https://git-scm.com/docs/git-check-ref-format
 */
export function BranchName(description: string, options: { default?: string } = {}) {
  const forbidden = '\\x00-\\x20\\x7f~^:?*\\[\\\\';
  return Type.String({
    pattern: `^(?![./-])(?!.*(\\.\\.|//|/\\.|@\\{|\\.lock(/|$)))[^${forbidden}]*[^${forbidden}./]$`,
    minLength: 1,
    maxLength: 200,
    description: `${description} As git allows: no space, no two dots in a row, none of ~^:?*[\\.`,
    ...options,
  });
}
