import { type Static, Type } from 'typebox';

/** What the API keys of a team may do. */
export const teamScopes = [
  'projects:read',
  'projects:write',
  'projects:revoke',
  'builds:read',
  'builds:write',
  'builds:create',
  'builds:cancel',
  'builds:approve',
  'logs:read',
  'receipts:read',
  'audit:read',
  'grants:write',
  'keys:read',
  'keys:write',
  'members:read',
  'members:write',
  'owners:write',
  'team:revoke',
] as const;

/**
 * What keys of the operators' team may do, and of no other: run builds, see health, counts and durations, use an access
 * grant that a team gave. None of them reads anything of a team by itself.
 */
export const operatorScopes = ['runner', 'operator', 'core_crew'] as const;

/** What a token lets its bearer do. A key or token never grants a scope that it does not have. */
export const scopes = [...teamScopes, ...operatorScopes] as const;
export type Scope = (typeof scopes)[number];

/** Scopes for one action each that a wider one holds. */
const partsOf: Partial<Record<Scope, readonly Scope[]>> = {
  'projects:write': ['projects:revoke'],
  'builds:write': ['builds:create', 'builds:cancel'],
};

/** The scopes with those that they hold, each once, in the order of `scopes`. Pure. */
export function withParts(held: readonly Scope[]): Scope[] {
  const all = new Set(held.flatMap((scope) => [scope, ...(partsOf[scope] ?? [])]));
  return scopes.filter((scope) => all.has(scope));
}

export function isOperatorScope(scope: Scope): boolean {
  return (operatorScopes as readonly Scope[]).includes(scope);
}

/** No access token of Ebb has more characters. */
export const longestToken = 8_192;

export const tokenExchange = 'urn:ietf:params:oauth:grant-type:token-exchange';
const jwtType = 'urn:ietf:params:oauth:token-type:jwt';
const idTokenType = 'urn:ietf:params:oauth:token-type:id_token';
export const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token';

/**
 * POST /v1/token, form-encoded: an API key, or a token of an issuer that a workload identity trusts, is exchanged for a
 * short-lived JWT, narrower when `scope` or `project_id` is given.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6749#section-4.4
 * @see https://www.rfc-editor.org/rfc/rfc8693#section-2.1
 */
export const TokenRequest = Type.Object({
  grant_type: Type.Enum(['client_credentials', tokenExchange]),
  client_id: Type.Optional(
    Type.String({ maxLength: 200, description: 'With an exchange: id of the workload identity.' }),
  ),
  client_secret: Type.Optional(
    Type.String({ description: 'With client_credentials: the API key, whole: `ebb_…`.' }),
  ),
  subject_token: Type.Optional(
    Type.String({
      maxLength: 16_384,
      description: 'With an exchange: the JWT that the workload has of its platform.',
    }),
  ),
  subject_token_type: Type.Optional(Type.Enum([jwtType, idTokenType])),
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
  issued_token_type: Type.Optional(Type.Literal(accessTokenType)),
});
export type TokenResponse = Static<typeof TokenResponse>;

/**
 * What these routes refuse.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6749#section-5.2
 */
export const OAuthProblem = Type.Object({
  error: Type.String({ description: 'Stable, for programs: `invalid_client`, `invalid_scope`, …' }),
  error_description: Type.String({ description: 'What is wrong and how to mend it.' }),
});

/**
 * POST /v1/token/revoke, /v1/token/renew and /v1/token/introspect, form-encoded: who holds a token may end it, or keep a
 * renewable one alive; its team may look at it.
 * A revocation is answered with 200 whatever the token is.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7009
 */
export const HeldToken = Type.Object({
  token: Type.String({ description: 'The access token.', maxLength: longestToken }),
  token_type_hint: Type.Optional(Type.String({ maxLength: 100 })),
});

/**
 * What POST /v1/token/introspect says of an access token. Of one that is not good any more, is not of the asker's team or
 * is none it says `active: false` and no more.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7662#section-2.2
 */
export const Introspection = Type.Object({
  active: Type.Boolean({ description: 'Whether it is a good token of your team now.' }),
  scope: Type.Optional(Type.String({ description: 'Scopes that it has now, separated by spaces.' })),
  client_id: Type.Optional(Type.String({ description: 'Id of the API key that it was given to.' })),
  token_type: Type.Optional(Type.Literal('Bearer')),
  exp: Type.Optional(
    Type.Integer({ description: 'When it ends, in seconds since 1970; of a renewable one unless renewed.' }),
  ),
  iat: Type.Optional(Type.Integer({ description: 'When it was given, in seconds since 1970.' })),
  sub: Type.Optional(Type.String({ description: 'The same as client_id.' })),
  aud: Type.Optional(Type.String()),
  iss: Type.Optional(Type.String()),
  jti: Type.Optional(Type.String({ description: 'Id of the token, as the audit trail names it.' })),
  project_id: Type.Optional(Type.String({ description: 'The project that it is limited to.' })),
});
export type Introspection = Static<typeof Introspection>;
