import { Build } from '../../contract/build.ts';
import { PageQuery } from '../../contract/page.ts';
import { ApiError } from '../client/api-error.ts';
import type { Client } from '../client/client.ts';
import { hasMember } from '../client/send.ts';
import { failure } from '../plugin/diagnostic.ts';
import { type ExactJson, parseJson, valueFromJson } from '../plugin/json-value.ts';
import type { DataSource } from '../plugin/provider.ts';
import { type Attributes, objectType } from '../plugin/schema.ts';
import type { ValueMap } from '../plugin/value.ts';
import { whatTheApiSaid } from '../resources/api-diagnostics.ts';
import { readAttributes } from '../resources/attributes.ts';
import { validateProperties } from '../resources/validate.ts';

const ofBuild = readAttributes(Build.properties);

/** One build by its id. */
export const buildSource: DataSource<Client> = {
  schema: {
    version: 0,
    description: 'One build and how far it is.',
    attributes: {
      ...ofBuild,
      id: { type: 'string', required: true, description: 'Identifier of the build.' },
    },
  },
  async read({ config, client }) {
    try {
      const { text } = await client.request({
        method: 'GET',
        path: pathOf(String(config.id)),
        isAnswer: hasMember('id'),
      });
      return valueFromJson(parseJson(text), objectType(ofBuild)) as ValueMap;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) {
        const detail = `There is no build "${config.id}", or the API key may not see it.`;
        throw failure('Cannot find the build', detail, ['id']);
      }
      throw whatTheApiSaid(error, 'Cannot read the build');
    }
  },
};

const listAttributes: Attributes = {
  project_id: { type: 'string', optional: true, description: 'Only builds of this project.' },
  limit: {
    ...{ type: 'number', optional: true },
    description: 'How many at most, from 1 to 200. 50 when left out.',
  },
  builds: {
    ...{ type: { nesting: 'list', attributes: ofBuild }, computed: true },
    description: 'The builds, the newest first.',
  },
};

/** The last builds of a team or of one project. */
export const buildsSource: DataSource<Client> = {
  schema: { version: 0, description: 'Builds of the team or of one project.', attributes: listAttributes },
  validate: (config) => validateProperties({ limit: PageQuery.properties.limit }, config),
  async read({ config, client }) {
    const { project_id: projectId, limit } = config;
    const query = new URLSearchParams({
      limit: String(limit ?? 50),
      ...(typeof projectId === 'string' && { project_id: projectId }),
    });
    try {
      const { text } = await client.request({
        method: 'GET',
        path: `/v1/builds?${query}`,
        isAnswer: hasMember('items'),
      });
      const { items } = parseJson(text) as { items: ExactJson[] };
      return { ...config, builds: items.map((item) => valueFromJson(item, objectType(ofBuild))) };
    } catch (error) {
      throw whatTheApiSaid(error, 'Cannot list builds');
    }
  },
};

export function pathOf(build: string): string {
  return `/v1/builds/${encodeURIComponent(build)}`;
}
