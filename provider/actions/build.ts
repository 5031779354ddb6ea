import { setTimeout as sleep } from 'node:timers/promises';
import { type Build, BuildCreation, finalStates } from '../../contract/build.ts';
import type { ApiRequest, Client } from '../client/client.ts';
import { hasMember } from '../client/send.ts';
import { pathOf } from '../data-sources/builds.ts';
import { failure } from '../plugin/diagnostic.ts';
import type { Action } from '../plugin/provider.ts';
import { whatTheApiSaid } from '../resources/api-diagnostics.ts';
import { inputAttributes } from '../resources/attributes.ts';
import { validateProperties } from '../resources/validate.ts';

const pollMilliseconds = 2_000;

/** Builds a branch or commit, and tells how it goes until the end. */
export const buildAction: Action<Client> = {
  schema: {
    version: 0,
    description:
      'Builds the head of a branch, or one commit, and waits for the end. A build that does not pass fails it.',
    attributes: inputAttributes(BuildCreation.properties),
  },
  validate: (config) => validateProperties(BuildCreation.properties, config),
  async *invoke({ config, client, signal }) {
    const given = Object.entries(config).filter(([, value]) => value !== null);
    let build = await answered(client, {
      ...{ method: 'POST', path: '/v1/builds', body: JSON.stringify(Object.fromEntries(given)) },
    });
    const name = `build ${build.number} (${build.id})`;
    let told = '';
    for (;;) {
      const line = `${name} is ${build.state.replaceAll('_', ' ')}${build.reason ? `: ${build.reason}` : ''}`;
      if (line !== told) yield line;
      told = line;
      if (finalStates.includes(build.state)) break;
      await sleep(pollMilliseconds, undefined, { signal });
      build = await answered(client, { method: 'GET', path: pathOf(build.id) });
    }
    if (build.state !== 'passed')
      throw failure(`The ${name} did not pass`, `${told}. Its log: ebb logs ${build.id}.`);
  },
};

async function answered(client: Client, request: Omit<ApiRequest, 'isAnswer'>): Promise<Build> {
  try {
    return JSON.parse((await client.request({ ...request, isAnswer: hasMember('state') })).text);
  } catch (error) {
    throw whatTheApiSaid(error, 'Cannot build');
  }
}
