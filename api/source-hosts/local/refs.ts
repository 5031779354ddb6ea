import { type GitResult, runGit } from './run-git.ts';

export interface GitContext {
  searchPath: string;
  signal: AbortSignal;
}

/** Full ref names (branches and tags) with the object each points at. */
export type Refs = Record<string, string>;

export async function listRefs(folder: string, context: GitContext): Promise<Refs> {
  const args = [
    '-C',
    folder,
    'for-each-ref',
    '--format=%(objectname) %(refname)',
    'refs/heads/',
    'refs/tags/',
  ];
  const { stdout } = ok(await runGit(args, context));
  const lines = stdout.toString().split('\n').filter(Boolean);
  return Object.fromEntries(
    lines.map((line) => [line.slice(line.indexOf(' ') + 1), line.split(' ', 1)[0] ?? '']),
  );
}

/** Commit that a ref points at, through tags; undefined when there is none. */
export async function commitOf(
  folder: string,
  ref: string,
  context: GitContext,
): Promise<string | undefined> {
  if (!ref.startsWith('refs/') || ref.includes('\0')) return undefined;
  const format = '--format=%(refname)%00%(objecttype)%00%(objectname)';
  const { stdout } = ok(await runGit(['-C', folder, 'for-each-ref', format, '--', ref], context));
  // It takes patterns, too; the names that it tells are exact, so `refs/heads/main~1` or `refs/heads/*` finds nothing.
  const refs = stdout
    .toString()
    .split('\n')
    .map((line) => line.split('\0'));
  const [, type, object] = refs.find(([name]) => name === ref) ?? [];
  if (type === undefined || type === 'commit') return object;
  const args = ['-C', folder, 'rev-parse', '--verify', '--quiet', `${object}^{commit}`];
  const peeled = await runGit(args, context);
  return peeled.code === 0 ? peeled.stdout.toString().trim() : undefined;
}

/** Branch that HEAD names, also when it has no commit yet. */
export async function defaultBranch(folder: string, context: GitContext): Promise<string> {
  const { stdout } = ok(await runGit(['-C', folder, 'symbolic-ref', 'HEAD'], context));
  return stdout
    .toString()
    .trim()
    .replace(/^refs\/heads\//, '');
}

export interface CommitSummary {
  id: string;
  /** At most 4,000 characters. */
  message: string;
  author: { name: string; email: string };
}

/** Undefined when the object is no commit, such as a tag of a file. */
export async function summarize(
  folder: string,
  object: string,
  context: GitContext,
): Promise<CommitSummary | undefined> {
  const format = '--format=%H%x00%an%x00%ae%x00%B';
  const args = ['-C', folder, 'log', '-1', '--no-show-signature', '--encoding=UTF-8', format, object, '--'];
  const { code, stdout } = await runGit(args, { ...context, maxBytes: 16 * 1024 });
  if (code !== 0) return undefined;
  const [id = '', name = '', email = '', body = ''] = stdout.toString().split('\0');
  if (id === '') return undefined;
  return {
    id,
    message: body.trim().slice(0, 4_000),
    author: { name: name.slice(0, 200), email: email.slice(0, 200) },
  };
}

function ok(result: GitResult): GitResult {
  if (result.code === 0) return result;
  throw new Error(`git failed with exit code ${result.code}: ${result.stderr}`);
}
