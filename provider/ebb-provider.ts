import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { declarableResources } from '../contract/resources.ts';
import { buildAction } from './actions/build.ts';
import { ApiError, ApiUnreachableError } from './client/api-error.ts';
import { type Client, createClient } from './client/client.ts';
import { createCreationNotes } from './client/creation-notes.ts';
import {
  type Environment,
  providerSchema,
  readConfiguration,
  validateConfiguration,
} from './configuration.ts';
import { buildSource, buildsSource } from './data-sources/builds.ts';
import { jwksSource } from './data-sources/jwks.ts';
import { tokenResource } from './ephemeral/token.ts';
import { parseRepositoryUrl } from './functions/parse-repository-url.ts';
import { publicKeyFingerprint } from './functions/public-key-fingerprint.ts';
import { placeOfNotes } from './place-of-notes.ts';
import { failure } from './plugin/diagnostic.ts';
import type { Log } from './plugin/log.ts';
import type { Provider } from './plugin/provider.ts';
import type { ValueMap } from './plugin/value.ts';
import { dataSourceFor } from './resources/data-source.ts';
import { listResourceFor } from './resources/list-resource.ts';
import { resourceTypeFor } from './resources/resource-type.ts';
import { providerVersion } from './version.ts';

/** Ebb's provider: a resource type and a data source for everything that the contract lets a team declare. */
export function ebbProvider(environment: Environment): Provider<Client> {
  const typed = declarableResources.map((resource) => [`ebb_${resource.name}`, resource] as const);
  return {
    schema: providerSchema,
    validate: validateConfiguration,
    configure: (config, context) => configure(config, { ...context, environment }),
    resources: Object.fromEntries(typed.map(([type, resource]) => [type, resourceTypeFor(resource)])),
    dataSources: {
      ...Object.fromEntries(typed.map(([type, resource]) => [type, dataSourceFor(resource)])),
      ...{ ebb_build: buildSource, ebb_builds: buildsSource, ebb_jwks: jwksSource },
    },
    actions: { ebb_build: buildAction },
    listResources: Object.fromEntries(typed.map(([type, resource]) => [type, listResourceFor(resource)])),
    ephemeralResources: { ebb_token: tokenResource },
    functions: {
      parse_repository_url: parseRepositoryUrl,
      public_key_fingerprint: publicKeyFingerprint,
    },
  };
}

async function configure(
  config: ValueMap,
  context: { environment: Environment; terraformVersion: string; signal: AbortSignal; log: Log },
): Promise<Client> {
  const configuration = readConfiguration(config, context.environment);
  if (!configuration) return unknownClient;
  const { endpoint, apiKey, caCertificate } = configuration;
  if (caCertificate) setDefaultCACertificates([...getCACertificates('default'), caCertificate]);
  const userAgent = `terraform-provider-ebb/${providerVersion} terraform/${context.terraformVersion}`;
  const notes = createCreationNotes(...placeOfNotes(context.environment, endpoint));
  const client = createClient({
    endpoint,
    apiKey,
    userAgent,
    notes,
    signal: context.signal,
    log: context.log,
  });
  try {
    await client.signIn();
  } catch (error) {
    throw signInFailure(error, endpoint);
  }
  return client;
}

function signInFailure(error: unknown, endpoint: string): unknown {
  const summary = 'Cannot sign in to Ebb';
  if (error instanceof ApiUnreachableError) {
    const fix = 'Check "endpoint" (or EBB_ENDPOINT) and that Ebb is running there.';
    return failure(summary, `${endpoint} does not answer. ${error.message}. ${fix}`, ['endpoint']);
  }
  if (!(error instanceof ApiError)) return error;
  if (error.status === 400 || error.status === 401) {
    const fix = 'Check "api_key" (or EBB_API_KEY): the key may be mistyped, expired or revoked.';
    return failure(summary, `${endpoint} refused the API key. ${fix}`, ['api_key']);
  }
  const detail = `${endpoint} answered with status ${error.status}. ${error.message} Check "endpoint" (or EBB_ENDPOINT).`;
  return failure(summary, detail, ['endpoint']);
}

/** Stands in while a part of the configuration is unknown: planning something new needs no API. */
const unknownClient: Client = {
  signIn: async () => {},
  request: notKnownYet,
  recorded: async () => {},
  issueToken: notKnownYet,
  renewToken: notKnownYet,
  revokeToken: notKnownYet,
};

async function notKnownYet(): Promise<never> {
  const detail =
    'A value in the provider block is known only after apply, but resources that exist must be read now. Apply what the value comes from first, or give it directly.';
  throw failure('The provider configuration is not known yet', detail);
}
