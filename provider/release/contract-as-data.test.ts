import assert from 'node:assert/strict';
import { test } from 'node:test';
import { build } from 'esbuild';
import { declarableResources } from '../../contract/resources.ts';
import { resourceAttributes } from '../resources/attributes.ts';
import { contractAsData, sourceOf } from './contract-as-data.ts';

async function bundled(program: string): Promise<{ text: string; exports: Record<string, unknown> }> {
  const { outputFiles } = await build({
    stdin: { contents: program, resolveDir: import.meta.dirname, loader: 'ts' },
    ...{ bundle: true, write: false, platform: 'node', format: 'esm', logLevel: 'silent' },
    plugins: [contractAsData],
  });
  const { text = '' } = outputFiles[0] ?? {};
  return { text, exports: await import(`data:text/javascript,${encodeURIComponent(text)}`) };
}

test('a bundle has the schemas of the contract, and not the library that made them', async () => {
  const { text, exports } = await bundled(`
    export { declarableResources } from '../../contract/resources.ts';
    export { resourceAttributes } from '../resources/attributes.ts';
  `);
  const ofBundle = exports.resourceAttributes as typeof resourceAttributes;
  const resources = exports.declarableResources as typeof declarableResources;
  for (const [index, resource] of declarableResources.entries()) {
    assert.deepEqual(ofBundle(resources[index] ?? resource), resourceAttributes(resource), resource.name);
  }
  assert.doesNotMatch(text, /TypeBox|~kind/);
});

test('what a bundle would miss ends the build', async () => {
  await assert.rejects(
    bundled("import { Page } from '../../contract/page.ts'; console.log(Page);"),
    /No matching export/,
  );
});

test('functions of the contract are bundled as they are', async () => {
  const { exports } = await bundled("export { isLoopback } from '../../contract/transport-security.ts';");
  assert.equal((exports.isLoopback as (host: string) => boolean)('127.0.0.1'), true);
});

test('what several constants share is written once', () => {
  const inner = { words: ['a', 'b'], nothing: null };
  const source = sourceOf([
    ['first', { inner }],
    ['second', [inner, inner]],
  ]);
  assert.equal(source.match(/"words"/g)?.length, 1);
});
