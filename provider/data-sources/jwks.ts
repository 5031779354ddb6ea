import type { Client } from '../client/client.ts';
import { hasMember } from '../client/send.ts';
import { parseJson, valueFromJson } from '../plugin/json-value.ts';
import type { DataSource } from '../plugin/provider.ts';
import { type Attributes, objectType } from '../plugin/schema.ts';
import type { ValueMap } from '../plugin/value.ts';
import { whatTheApiSaid } from '../resources/api-diagnostics.ts';

const text = (description: string) => ({ type: 'string', computed: true, description }) as const;
const seconds = (description: string) => ({ type: 'number', computed: true, description }) as const;

const ofKey: Attributes = {
  kid: text('Identifier of the key: its thumbprint (RFC 7638).'),
  kty: text('Type of the key, `OKP`.'),
  crv: text('Curve of the key, `Ed25519`.'),
  x: text('Public half, in base64url.'),
  alg: text('Algorithm that it signs with, `EdDSA`.'),
  use: text('What keys are for, `sig`.'),
  ebb_use: text('What it signs: `receipt` or `token`.'),
  iat: seconds('Since when it is in use, in seconds since 1970; null where that was not noted.'),
  exp: seconds('Until when it was in use, in seconds since 1970; null while it is.'),
};
const attributes: Attributes = {
  keys: {
    ...{ type: { nesting: 'list', attributes: ofKey }, computed: true },
    description: 'The keys: those in use, and every receipt key that ever was.',
  },
  json: text('The whole document, for `ebb verify --jwks`.'),
};

/** The public keys that tokens and receipts are verified with. @see https://www.rfc-editor.org/rfc/rfc7517 */
export const jwksSource: DataSource<Client> = {
  schema: {
    version: 0,
    description: "Ebb's public keys: those that verify access tokens and receipts.",
    attributes,
  },
  async read({ client }) {
    try {
      const { text: json } = await client.request({
        method: 'GET',
        path: '/.well-known/jwks.json',
        isAnswer: hasMember('keys'),
      });
      const document = valueFromJson(parseJson(json), objectType(attributes)) as ValueMap;
      return { ...document, json };
    } catch (error) {
      throw whatTheApiSaid(error, 'Cannot read the public keys');
    }
  },
};
