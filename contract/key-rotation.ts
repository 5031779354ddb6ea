import { type Static, Type } from 'typebox';
import { Id, Timestamp } from './id.ts';
import { WrappingKey } from './key-encryption.ts';
import { Page } from './page.ts';

/** POST /v1/projects/{id}/key-rotations asks for it; a runner does it. */
export const KeyRotation = Type.Object({
  id: Id('kro', 'Identifier of the rotation.'),
  project_id: Id('prj', 'Project whose key pair becomes another.'),
  state: Type.Enum(['waiting', 'done', 'failed']),
  reason: Type.Union([Type.String(), Type.Null()], {
    description: 'Why it failed; nothing was changed then.',
  }),
  requested_at: Timestamp('When it was asked for.'),
  finished_at: Type.Union([Timestamp('When it was done or failed.'), Type.Null()]),
});
export type KeyRotation = Static<typeof KeyRotation>;

/** GET /v1/key-rotations: those that wait for a runner, oldest first. */
export const WaitingKeyRotations = Type.Object({
  ...Page(Type.Pick(KeyRotation, ['id', 'project_id'])).properties,
  wrapping_key: WrappingKey('What the API wraps with; a runner that has another current key leaves them.'),
});
export type WaitingKeyRotations = Static<typeof WaitingKeyRotations>;

const Sealed = Type.String({ description: 'Compact JWE.' });
const Version = Type.Integer({ description: 'Of the row; another one means that it was changed meanwhile.' });

/** GET /v1/key-rotations/{id}/task: all that is sealed to the project. */
export const KeyRotationTask = Type.Object({
  project_id: Id('prj', 'Project.'),
  wrapped_private_key: Type.String(),
  deploy_key: Type.Union([
    Type.Object({ id: Type.String(), version: Version, private_key: Sealed }),
    Type.Null(),
  ]),
  secrets: Type.Array(
    Type.Object({ id: Type.String(), version: Version, name: Type.String(), value: Sealed }),
  ),
});
export type KeyRotationTask = Static<typeof KeyRotationTask>;

/** POST /v1/key-rotations/{id}/result: all of it sealed to a new key pair, which takes the place of `from` or nothing does. */
export const KeyRotationResult = Type.Object(
  {
    from: Type.String({ description: 'The wrapped private key that the values were opened with.' }),
    public_key: Type.Object(
      {
        kty: Type.Literal('EC'),
        crv: Type.Literal('P-256'),
        x: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' }),
        y: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' }),
      },
      { additionalProperties: false, description: 'Public half of the new pair (JWK).' },
    ),
    wrapped_private_key: Type.String({ minLength: 1, maxLength: 8_192 }),
    deploy_key: KeyRotationTask.properties.deploy_key,
    secrets: Type.Array(Type.Object({ id: Type.String(), version: Version, value: Sealed })),
  },
  { additionalProperties: false },
);
export type KeyRotationResult = Static<typeof KeyRotationResult>;

/** POST /v1/key-rotations/{id}/failure: a value that no runner can open. */
export const KeyRotationFailure = Type.Object(
  { reason: Type.String({ minLength: 1, maxLength: 2_000 }) },
  { additionalProperties: false },
);
