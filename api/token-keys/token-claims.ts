import { type Static, Type } from 'typebox';

const Seconds = Type.Integer({ minimum: 0 });

/**
 * What stands in an access token of Ebb. `project` limits it; `build`, `attempt` and `lease` are a runner's, `renewed` is that of a
 * token to be renewed.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9068#section-2.2
 */
export const TokenClaims = Type.Object({
  iss: Type.String(),
  aud: Type.String(),
  iat: Seconds,
  exp: Seconds,
  jti: Type.String({ minLength: 1 }),
  sub: Type.String({ minLength: 1 }),
  team: Type.String({ minLength: 1 }),
  scope: Type.String(),
  project: Type.Optional(Type.String({ minLength: 1 })),
  build: Type.Optional(Type.String({ minLength: 1 })),
  attempt: Type.Optional(Type.Integer({ minimum: 1 })),
  lease: Type.Optional(Type.String({ minLength: 1 })),
  renewed: Type.Optional(Type.Literal(true)),
});
export type TokenClaims = Static<typeof TokenClaims>;

/** What the signer adds by itself; `jti` is made when it is not given. */
export type GivenClaims = Omit<TokenClaims, 'iss' | 'aud' | 'iat' | 'exp' | 'jti'> & { jti?: string };
