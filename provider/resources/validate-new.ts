import type { Connection } from '../../contract/connection.ts';
import { connectionProblems } from '../../contract/connection-rules.ts';
import type { Resource } from '../../contract/resource.ts';
import type { Diagnostic } from '../plugin/diagnostic.ts';
import { isWhollyKnown, type ValueMap } from '../plugin/value.ts';
import { attributeName } from './attributes.ts';

/**
 * Checks what the API would refuse, before anything makes room for it. What is unknown counts as given, and says nothing
 * of itself.
 */
export function validateNew(resource: Resource, config: ValueMap): Diagnostic[] {
  return resource.name === 'connection' ? validateConnection(resource, config) : [];
}

function validateConnection(resource: Resource, config: ValueMap): Diagnostic[] {
  if (typeof config.kind !== 'string') return [];
  const inTerraform = (field: string) => attributeName(resource, field);
  const given = (field: string) => (config[inTerraform(field)] ?? null) !== null;
  const text = (field: string) => (given(field) ? String(config[field]) : undefined);
  const problems = connectionProblems(
    {
      kind: config.kind as Connection['kind'],
      ...{ url: text('url'), ssh_address: text('ssh_address') },
      ...{ app_id: text('app_id'), installation_id: text('installation_id') },
      ssh_host_keys: given('ssh_host_keys') ? [] : undefined,
      ...{ token: given('token'), private_key: given('private_key') },
    },
    inTerraform,
  );
  return problems
    .map(({ field, detail }) => ({ name: inTerraform(field), detail }))
    .filter(({ name }) => isWhollyKnown(config[name] ?? null))
    .map(({ name, detail }) => ({
      ...{ severity: 'error', summary: 'Invalid connection', detail, path: [name] },
    }));
}
