import { type Static, Type } from 'typebox';
import { Id, Timestamp } from './id.ts';
import { Page } from './page.ts';

/** Names a key-encryption key. */
export const WrappingKey = (description: string) =>
  Type.String({ description: `${description} Driver and key: \`file:…\` or \`aws-kms:arn:…\`.` });

const WrappedPrivateKey = Type.String({
  minLength: 1,
  maxLength: 8_192,
  description: 'The id of what wrapped it, a space, and what only that can unwrap.',
});

/** GET /v1/wrapped-keys: keys of projects that another key wrapped than the one that wraps now. */
export const WrappedKeys = Type.Object({
  ...Page(Type.Object({ project_id: Id('prj', 'Project.'), wrapped_private_key: WrappedPrivateKey }))
    .properties,
  wrapping_key: WrappingKey('What the API wraps with.'),
});
export type WrappedKeys = Static<typeof WrappedKeys>;

/** PUT /v1/wrapped-keys/{project}: compare and swap; the same again is answered alike. */
export const WrappedKeyChange = Type.Object(
  { from: WrappedPrivateKey, to: WrappedPrivateKey },
  { additionalProperties: false },
);
export type WrappedKeyChange = Static<typeof WrappedKeyChange>;

/** GET /v1/key-encryption: which keys wrap the keys of live projects, and how far a rotation is. */
export const KeyEncryption = Type.Object({
  wrapping_key: WrappingKey('What the API wraps with.'),
  began_at: Timestamp('Since when.'),
  finished_at: Type.Union([Timestamp('Since when it wraps all of them.'), Type.Null()]),
  remaining: Type.Integer({ description: 'How many keys of projects another one wrapped.' }),
  keys: Type.Array(
    Type.Object({
      wrapping_key: WrappingKey('`unnamed` for what was wrapped before keys had names.'),
      projects: Type.Integer(),
    }),
  ),
});
export type KeyEncryption = Static<typeof KeyEncryption>;
