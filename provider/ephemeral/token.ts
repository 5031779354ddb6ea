import { teamScopes } from '../../contract/token.ts';
import type { Client } from '../client/client.ts';
import type { Diagnostic } from '../plugin/diagnostic.ts';
import type { EphemeralResource } from '../plugin/provider.ts';
import { isUnknown, type ValueMap } from '../plugin/value.ts';
import { whatTheApiSaid } from '../resources/api-diagnostics.ts';

/** How much of its time is left when a token is renewed. */
const shareLeft = 1 / 3;

/** A token for what else the configuration sets up, such as another CI: in no plan and no state. */
export const tokenResource: EphemeralResource<Client> = {
  schema: {
    version: 0,
    description:
      "An access token for Ebb's API that exists while Terraform runs: it is renewed as long as it is needed and revoked at the end, and stands in no plan and no state. Should Terraform be killed, it ends within fifteen minutes.",
    attributes: {
      scopes: {
        type: ['set', 'string'],
        optional: true,
        description: `What the token is for: ${teamScopes.map((scope) => `\`${scope}\``).join(', ')}. All that the provider's API key has when left out.`,
      },
      project_id: {
        type: 'string',
        optional: true,
        description: 'Limits the token to one project; it dies with the project.',
      },
      token: { type: 'string', computed: true, sensitive: true, description: 'The token, a JWT.' },
    },
  },
  validate: ({ scopes = null }) => (Array.isArray(scopes) ? unknownScopes(scopes) : []),
  async open({ config, client }) {
    try {
      const issued = await client.issueToken(wanted(config));
      return { result: { ...config, token: issued.accessToken }, ...kept(issued) };
    } catch (error) {
      throw whatTheApiSaid(error, 'Cannot get a token');
    }
  },
  async renew({ private: token, client }) {
    const accessToken = Buffer.from(token).toString();
    try {
      return kept({ accessToken, expiresInSeconds: await client.renewToken(accessToken) });
    } catch (error) {
      throw whatTheApiSaid(error, 'Cannot renew the token');
    }
  },
  async close({ private: token, client }) {
    try {
      await client.revokeToken(Buffer.from(token).toString());
    } catch (error) {
      throw whatTheApiSaid(error, 'Cannot revoke the token, which ends by itself within fifteen minutes');
    }
  },
};

function wanted({ scopes = null, project_id: projectId = null }: ValueMap) {
  return {
    ...(Array.isArray(scopes) && scopes.length > 0 && { scope: scopes.map(String).sort().join(' ') }),
    ...(typeof projectId === 'string' && { projectId }),
  };
}

function kept({ accessToken, expiresInSeconds }: { accessToken: string; expiresInSeconds: number }) {
  const renewAt = new Date(Date.now() + expiresInSeconds * (1 - shareLeft) * 1000);
  return { renewAt, private: Buffer.from(accessToken) };
}

function unknownScopes(scopes: ValueMap[string][]): Diagnostic[] {
  const known: readonly string[] = teamScopes;
  return scopes
    .filter((scope) => scope === null || (!isUnknown(scope) && !known.includes(String(scope))))
    .map((scope) => ({
      ...{ severity: 'error', summary: 'Unknown scope', path: ['scopes'] },
      detail: `${JSON.stringify(scope)} is no scope. There are: ${known.join(', ')}.`,
    }));
}
