import { commit } from '../api/test-client.ts';
import { createRepository } from '../cli/dev/repository.ts';
import type { ApiForTests } from '../test/api-for-tests.ts';

/** Projects of one repository of the built-in source host, with their keys; `more` is declared of each. Gives their ids. */
export async function declareProjects(
  { client, repositories }: ApiForTests,
  count: number,
  more: { concurrency?: number } = {},
): Promise<string[]> {
  await commit(await createRepository(repositories, 'shop'));
  const connection = await client.post<{ id: string }>('/v1/connections', { name: 'local', kind: 'local' });
  const ids: string[] = [];
  for (let number = 0; number < count; number += 1) {
    const declared = { connection_id: connection.id, repository: 'shop', name: `shop-${number}` };
    const wanted = { ...declared, test: ['npm test'], ...more };
    const { id } = await client.post<{ id: string }>('/v1/projects', wanted);
    await client.post('/v1/deploy-keys', { project_id: id });
    ids.push(id);
  }
  return ids;
}
