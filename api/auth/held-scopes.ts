import type { Role } from '../../contract/role.ts';
import type { Scope } from '../../contract/token.ts';
import { invalidField, ProblemError } from '../http/problem-error.ts';
import type { Principal } from './principal.ts';

/** 422 at `field` when somebody gives away what he may not do himself. */
export function requireHeld(
  principal: Pick<Principal, 'scopes'>,
  given: readonly Scope[],
  field = 'scopes',
): void {
  const beyond = given.filter((scope) => !principal.scopes.includes(scope));
  if (beyond.length === 0) return;
  const detail = `${field} may give only what your own token has; it lacks ${beyond.join(' and ')}. Ask for a token that has it.`;
  throw invalidField(field, detail);
}

/** 403 when somebody without leave for owners changes what an owner, or who is invited to be one, has. */
export function requireForOwner(
  principal: Pick<Principal, 'scopes'>,
  { role, email }: { role: Role; email: string | null },
): void {
  if (role !== 'owner' || principal.scopes.includes('owners:write')) return;
  const detail = `${email} is an owner, or invited to be one. To change that takes the scope owners:write, which the token lacks.`;
  throw new ProblemError(403, 'insufficient_scope', detail);
}
