import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openTestContext } from '../test-context.ts';

/** The OpenAPI document as it stands in the repository, so that a change of the API is seen in its diff. */
export const openapiPath = join(import.meta.dirname, '..', '..', 'docs', 'openapi.json');

export const openapiText = (document: unknown) => `${JSON.stringify(document, null, 2)}\n`;

if (import.meta.main) {
  const { app, close } = await openTestContext();
  const { body } = await app.inject('/v1/openapi.json');
  await writeFile(openapiPath, openapiText(JSON.parse(body)));
  await close();
}
