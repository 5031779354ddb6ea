import type { GrantScope } from '../../contract/access-grant.ts';
import type { Principal } from '../auth/principal.ts';
import { ProblemError } from '../http/problem-error.ts';
import { grantLasts } from './end-of-grant.ts';
import type { GrantRow } from './store.ts';

/** What is asked for under a grant. */
export interface Wanted {
  /** Any of these scopes opens it. */
  scopes: GrantScope[];
  /** Of what, such as `build bld_…`; undefined when it is about no single thing. */
  thing?: string | undefined;
}

/** What the database says of it, read in the transaction of the use. */
export interface Facts {
  /** Undefined for an id that no grant has. */
  grant: GrantRow | undefined;
  /** Whether the caller's key is still good. */
  keyLives: boolean;
  /** Whether the grant's team, or the one project it is for, was revoked or is being revoked. */
  revoked: boolean;
  /** The thing's project, where the grant's team has it; `none` when nothing is asked for by id. */
  project: { id: string; revoking_at: Date | null } | undefined | 'none';
}

/** Why a grant cannot be used for what is asked, named by the check that failed; undefined when it can. */
export function refusalOf(
  principal: Principal,
  { grant, keyLives, revoked, project }: Facts,
  wanted: Wanted,
  now: Date,
): ProblemError | undefined {
  if (!keyLives || !principal.scopes.includes('core_crew'))
    return refused('not_core_crew', 'Only keys of the core crew, with the scope core_crew, use a grant.');
  if (!grant) return new ProblemError(404, 'not_found', 'There is no access grant with this id.');
  if (grant.deleted_at)
    return refused('grant_taken_back', `The team took the grant back at ${grant.deleted_at.toISOString()}.`);
  if (!grantLasts(grant, now)) {
    const ended = grant.ended_at && grant.ended_at < grant.ends_at ? grant.ended_at : grant.ends_at;
    return refused('grant_ended', `The grant ended at ${ended.toISOString()}.`);
  }
  if (!wanted.scopes.some((scope) => grant.scope.includes(scope)))
    return refused(
      'grant_scope',
      `The grant opens ${grant.scope.join(', ')}; this takes ${wanted.scopes.join(' or ')}.`,
    );
  if (revoked)
    return refused('grant_revoked', `What the grant is for was revoked; it opens nothing any more.`);
  if (project === 'none') return undefined;
  if (!project) return refused('grant_team', `The team that gave the grant has no ${wanted.thing}.`);
  if (grant.project_id !== null && grant.project_id !== project.id)
    return refused('grant_project', `The grant is for the project ${grant.project_id} alone.`);
  if (project.revoking_at)
    return refused('project_revoked', 'The project was revoked; a grant opens nothing of it any more.');
  return undefined;
}

function refused(code: string, detail: string): ProblemError {
  return new ProblemError(403, code, detail);
}
