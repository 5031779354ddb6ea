import type { Resource } from '../../contract/resource.ts';
import type { Client } from '../client/client.ts';
import type { Identity, ResourceType, Stored } from '../plugin/provider.ts';
import type { Schema } from '../plugin/schema.ts';
import type { ValueMap } from '../plugin/value.ts';
import { adopt } from './adopt.ts';
import { inTerraformsWords } from './api-diagnostics.ts';
import { describe, resourceAttributes, versionName } from './attributes.ts';
import { createOnce } from './create.ts';
import { deleteResource } from './delete.ts';
import { type Found, getById, isRepresentation } from './find.ts';
import { findToImport } from './import.ts';
import { jsonSchema } from './json-schema.ts';
import { creationBody } from './request-body.ts';
import { stateUpgrades } from './state-upgrades.ts';
import { type Bounded, inTime, timeoutOf, validateTimeouts } from './timeouts.ts';
import { updateResource } from './update.ts';
import { validateResource } from './validate.ts';
import { validateNew } from './validate-new.ts';
import { spoken } from './words.ts';

/** Terraform's resource type for a resource of the contract. */
export function resourceTypeFor(resource: Resource): ResourceType<Client> {
  const attributes = resourceAttributes(resource);
  const upgrades = stateUpgrades(resource.name);
  const schema: Schema = { version: upgrades.length, description: resource.description, attributes };
  const told = <T>(verb: string, operation: () => Promise<T>) =>
    operation().catch((error: unknown) => {
      throw inTerraformsWords(error, `${verb} the ${spoken(resource)}`, resource);
    });

  return {
    schema,
    upgrades,
    identity: identityOf(resource),
    validate: (config) => [
      ...validateResource(resource, config),
      ...validateTimeouts(config.timeouts ?? null),
    ],
    validateNew: (config) => validateNew(resource, config),
    create: ({ config, planned, ...context }) =>
      told('create', () =>
        inTime({ ...context, ...bounds('create', planned) }, async ({ client }) => {
          if (resource.isSingle)
            return stored(resource, await adopt(client, resource, { config, planned }, attributes), planned);
          const body = creationBody(resource, planned, config);
          const isAnswer = isRepresentation(resource);
          const creationOf = `${resource.path} ${creationBody(resource, planned, {})}`;
          const order = { method: 'POST', path: resource.path, body, isAnswer, creationOf } as const;
          return stored(resource, await createOnce(client, resource, order, attributes), planned);
        }),
      ),
    read: ({ state, ...context }) =>
      told('read', () =>
        inTime({ ...context, ...bounds('read', state) }, async ({ client }) => {
          await client.recorded(String(state.id));
          const found = await getById(client, resource, String(state.id), attributes);
          return found && stored(resource, found, state);
        }),
      ),
    update: ({ private: kept, config, prior, planned, ...context }) =>
      told('update', () =>
        inTime({ ...context, ...bounds('update', planned) }, async ({ client }) => {
          const change = { client, config, prior, planned, resource, attributes, etag: etagIn(kept) };
          return stored(resource, await updateResource(change), planned);
        }),
      ),
    delete: ({ prior, ...context }) =>
      told('delete', () =>
        inTime({ ...context, ...bounds('delete', prior) }, async ({ client, signal }) => {
          await client.recorded(String(prior.id));
          return await deleteResource({
            client,
            resource,
            id: String(prior.id),
            signal,
            longestMs: timeoutOf(prior.timeouts ?? null, 'delete'),
          });
        }),
      ),
    import: ({ client, ...wanted }) =>
      told('import', async () => {
        const id = 'id' in wanted ? wanted.id : String(wanted.identity.id);
        return stored(resource, await findToImport(client, resource, id, attributes), {});
      }),
  };
}

function bounds(operation: Bounded, { timeouts: declared = null }: ValueMap) {
  return { operation, declared };
}

/** Ids are unique over all teams and never used again, so they identify for good. */
function identityOf(resource: Resource): Identity {
  const description = describe(jsonSchema(resource.computed.id ?? {}));
  return {
    version: 0,
    attributes: { id: { type: 'string', description, required: true } },
    of: ({ id = null }) => ({ id }),
  };
}

/** State is what the API answered, plus what only Terraform keeps: versions of write-only values, and timeouts. */
function stored(resource: Resource, { state, etag }: Found, kept: ValueMap): Stored {
  const names = ['timeouts', ...Object.keys(resource.writeOnly).map(versionName)];
  const own = Object.fromEntries(names.map((name) => [name, kept[name] ?? null]));
  return { state: { ...state, ...own }, private: Buffer.from(JSON.stringify({ etag })) };
}

function etagIn(kept: Uint8Array): string | undefined {
  if (kept.length === 0) return undefined;
  const { etag } = JSON.parse(Buffer.from(kept).toString('utf8')) as { etag: string | null };
  return etag ?? undefined;
}
