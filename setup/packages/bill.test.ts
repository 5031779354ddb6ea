import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { billOfEbb } from './bill.ts';
import { readLock } from './lock-file.ts';

const lock = await readLock(join(import.meta.dirname, '..', '..'));

interface Component {
  name: string;
  version: string;
  purl: string;
  hashes?: { alg: string; content: string }[];
  licenses?: { expression: string }[];
}

test('the bill of materials has every package that Ebb asks for, with its hash and license, and no tool', () => {
  const bill = JSON.parse(billOfEbb(lock));
  const header = [bill.bomFormat, bill.specVersion, bill.metadata.component.name];
  assert.deepEqual(header, ['CycloneDX', '1.5', 'ebb']);
  const found = new Map((bill.components as Component[]).map((one) => [one.purl, one]));
  for (const [name, version] of Object.entries(lock.manifest.dependencies ?? {})) {
    const component = found.get(`pkg:npm/${name.replace('@', '%40')}@${version}`);
    assert.ok(component, name);
    assert.deepEqual([component.name, component.version], [name, version]);
    assert.match(component.hashes?.[0]?.content ?? '', /^[0-9a-f]{128}$/);
  }
  assert.deepEqual(found.get(`pkg:npm/fastify@${lock.manifest.dependencies?.fastify}`)?.licenses, [
    { expression: 'MIT' },
  ]);
  assert.ok(!bill.components.some(({ name }: Component) => name === 'typescript'));
});

test('what came inside another package is in the bill of materials too, and each thing once', () => {
  const { components, dependencies } = JSON.parse(billOfEbb(lock));
  const purls = (components as Component[]).map(({ purl }) => purl);
  assert.ok(purls.some((purl) => purl.startsWith('pkg:npm/archiver@')));
  assert.equal(new Set(purls).size, purls.length);
  assert.deepEqual(dependencies[0].dependsOn, purls);
});
