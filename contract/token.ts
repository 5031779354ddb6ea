import { type Static, Type } from 'typebox';

/** What the API keys of a team may do. */
export const teamScopes = [
  'projects:read',
  'projects:write',
  'builds:read',
  'builds:write',
  'builds:approve',
  'logs:read',
  'receipts:read',
  'audit:read',
  'grants:write',
] as const;

/**
 * What keys of the operators' team may do, and of no other: run builds, see health, counts and durations, use an access
 * grant that a team gave. None of them reads anything of a team by itself.
 */
export const operatorScopes = ['runner', 'operator', 'core_crew'] as const;

/** What a token lets its bearer do. A key or token never grants a scope that it does not have. */
export const scopes = [...teamScopes, ...operatorScopes] as const;
export type Scope = (typeof scopes)[number];

export function isOperatorScope(scope: Scope): boolean {
  return (operatorScopes as readonly Scope[]).includes(scope);
}

/**
 * POST /v1/token, form-encoded: an API key is exchanged for a short-lived JWT, narrower when `scope` or `project_id`
 * is given.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6749#section-4.4
 */
export const TokenRequest = Type.Object({
  grant_type: Type.Literal('client_credentials'),
  client_id: Type.Optional(Type.String()),
  client_secret: Type.String({ description: 'The API key, whole: `ebb_…`.' }),
  scope: Type.Optional(
    Type.String({ description: 'Scopes separated by spaces; all of the key when absent.' }),
  ),
  project_id: Type.Optional(
    Type.String({ description: 'Limits the token to one project; it dies with the project.' }),
  ),
  renewable: Type.Optional(
    Type.Enum(['true', 'false'], {
      description:
        'The token must be renewed within every fifteen minutes, and can be for a day; else it cannot be renewed.',
    }),
  ),
});

export const TokenResponse = Type.Object({
  access_token: Type.String(),
  token_type: Type.Literal('Bearer'),
  expires_in: Type.Integer({ description: 'Seconds.' }),
  scope: Type.String(),
});
export type TokenResponse = Static<typeof TokenResponse>;

/**
 * POST /v1/token/revoke and /v1/token/renew, form-encoded: who holds a token may end it, or keep a renewable one alive.
 * A revocation is answered with 200 whatever the token is.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7009
 */
export const HeldToken = Type.Object({
  token: Type.String({ description: 'The access token.', maxLength: 8192 }),
  token_type_hint: Type.Optional(Type.String({ maxLength: 100 })),
});
