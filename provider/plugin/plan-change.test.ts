import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planChange } from './plan-change.ts';
import type { Attributes } from './schema.ts';
import { unknown } from './value.ts';

const plain = { type: 'string', description: '' } as const;
const attributes: Attributes = {
  id: { ...plain, computed: true },
  name: { ...plain, required: true, requiresReplace: true },
  branch: { ...plain, optional: true, computed: true, default: 'main' },
  note: { ...plain, optional: true },
  value_wo: { ...plain, optional: true, writeOnly: true },
  steps: {
    description: '',
    optional: true,
    type: {
      nesting: 'list',
      attributes: {
        command: { ...plain, required: true },
        shell: { ...plain, optional: true, computed: true, default: 'bash' },
      },
    },
  },
};
const config = { id: null, name: 'shop', branch: null, note: null, value_wo: 'hidden', steps: null };
const prior = { id: 'prj_1', name: 'shop', branch: 'main', note: null, value_wo: null, steps: null };

test('a new resource has its defaults, unknown computed attributes and no write-only value', () => {
  const { planned, requiresReplace } = planChange(null, config, attributes);
  assert.deepEqual(planned, { ...config, id: unknown, branch: 'main', value_wo: null });
  assert.deepEqual(requiresReplace, []);
});

test('a resource without changes is planned as it is', () => {
  assert.deepEqual(planChange(prior, config, attributes).planned, prior);
});

test('a value that is no longer configured goes back to its default, or to null', () => {
  const { planned } = planChange({ ...prior, branch: 'next', note: 'x' }, config, attributes);
  assert.deepEqual(planned, prior);
});

test('another value of a fixed attribute asks for replacement', () => {
  const { requiresReplace } = planChange(prior, { ...config, name: 'store' }, attributes);
  assert.deepEqual(requiresReplace, [['name']]);
});

test('a fixed attribute that is not known yet asks for replacement', () => {
  const { requiresReplace } = planChange(prior, { ...config, name: unknown }, attributes);
  assert.deepEqual(requiresReplace, [['name']]);
});

test('elements of a nested list get their defaults', () => {
  const steps = [{ command: './a', shell: null }];
  const { planned } = planChange(null, { ...config, steps }, attributes);
  assert.deepEqual((planned as typeof config).steps, [{ command: './a', shell: 'bash' }]);
});

test('a destroyed resource is planned as null', () => {
  assert.deepEqual(planChange(prior, null, attributes), { planned: null, requiresReplace: [] });
});
