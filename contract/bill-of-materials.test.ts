import assert from 'node:assert/strict';
import { test } from 'node:test';
import { billOfMaterials, npmMaterial } from './bill-of-materials.ts';

test('a license in words is not passed off as an SPDX expression', () => {
  const licensesOf = (license: string) => {
    const material = npmMaterial('some', { version: '1.0.0', license });
    return JSON.parse(billOfMaterials({ type: 'application', name: 'ebb', version: '1.0.0' }, [material]))
      .components[0].licenses;
  };
  assert.deepEqual(licensesOf('(MIT AND Zlib)'), [{ expression: '(MIT AND Zlib)' }]);
  assert.deepEqual(licensesOf('Public Domain'), [{ license: { name: 'Public Domain' } }]);
});
