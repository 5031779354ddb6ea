import type { TestContext } from 'node:test';
import { type FakeApi, startFakeApi } from './fake-api.ts';
import { createWorkspace, type Workspace } from './terraform.ts';

/** An API of its own and a folder that is signed in to it, for one test. */
export async function createSetting(
  t: TestContext,
  variables: Record<string, string> = {},
): Promise<{ api: FakeApi; workspace: Workspace }> {
  const api = await startFakeApi();
  t.after(api.close);
  const environment = { EBB_ENDPOINT: api.endpoint, EBB_API_KEY: api.apiKey, ...variables };
  const workspace = await createWorkspace(environment);
  t.after(workspace.remove);
  return { api, workspace };
}

/** A connection and a project on it; `attributes` are further lines of the project. */
export function projectConfiguration(attributes: string): string {
  return `
resource "ebb_connection" "local" {
  name = "local"
  kind = "local"
}

resource "ebb_project" "shop" {
  connection_id = ebb_connection.local.id
  repository    = "shop"
${attributes}
}
`;
}
