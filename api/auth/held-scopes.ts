import type { Scope } from '../../contract/token.ts';
import { invalidField } from '../http/problem-error.ts';
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
