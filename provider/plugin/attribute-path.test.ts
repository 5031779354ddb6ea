import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathToWire } from './attribute-path.ts';
import type { Attributes } from './schema.ts';

const attributes: Attributes = {
  name: { type: 'string', description: '' },
  deploy: {
    description: '',
    type: { nesting: 'list', attributes: { branch: { type: 'string', description: '' } } },
  },
  environment: { type: ['map', 'string'], description: '' },
  phases: { type: ['set', 'string'], description: '' },
};

test('names, indexes and keys become the steps that the schema says', () => {
  assert.deepEqual(pathToWire(['deploy', 0, 'branch'], attributes), {
    steps: [{ attribute_name: 'deploy' }, { element_key_int: 0 }, { attribute_name: 'branch' }],
  });
  assert.deepEqual(pathToWire(['environment', '7'], attributes), {
    steps: [{ attribute_name: 'environment' }, { element_key_string: '7' }],
  });
});

test('a path ends where the schema ends', () => {
  assert.deepEqual(pathToWire(['phases', 1], attributes), { steps: [{ attribute_name: 'phases' }] });
  assert.deepEqual(pathToWire(['deploy', 0, 'nothing'], attributes), {
    steps: [{ attribute_name: 'deploy' }, { element_key_int: 0 }],
  });
  assert.equal(pathToWire(['nothing'], attributes), undefined);
});
