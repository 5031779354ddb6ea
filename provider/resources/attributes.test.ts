import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type } from 'typebox';
import { project } from '../../contract/project.ts';
import { defineResource } from '../../contract/resource.ts';
import { declarableResources } from '../../contract/resources.ts';
import { secret } from '../../contract/secret.ts';
import { attributeType } from '../plugin/schema.ts';
import { dataSourceAttributes, resourceAttributes } from './attributes.ts';

test('what the API decides is computed, what is fixed asks for replacement, the rest may change', () => {
  const attributes = resourceAttributes(project);
  assert.partialDeepStrictEqual(attributes.id, { computed: true, type: 'string' });
  assert.partialDeepStrictEqual(attributes.name, { required: true, requiresReplace: true });
  assert.partialDeepStrictEqual(attributes.timeout_minutes, { optional: true, computed: true, default: 60 });
  assert.equal(attributes.timeout_minutes?.requiresReplace, undefined);
});

test('lists, sets, maps and lists of objects have the types that Terraform has for them', () => {
  const { test: commands, environment, deploy } = resourceAttributes(project);
  assert.deepEqual(commands?.type, ['list', 'string']);
  assert.deepEqual(environment?.type, ['map', 'string']);
  assert.deepEqual(resourceAttributes(secret).phases?.type, ['set', 'string']);
  assert.ok(deploy);
  assert.deepEqual(attributeType(deploy), [
    'list',
    ['object', { branch: 'string', commands: ['list', 'string'] }],
  ]);
});

test('a write-only field becomes a write-only attribute and its version, needed only to make a new one', () => {
  const { value, value_wo, value_wo_version } = resourceAttributes(secret);
  assert.equal(value, undefined);
  assert.partialDeepStrictEqual(value_wo, {
    requiredAtCreation: true,
    optional: true,
    sensitive: true,
    writeOnly: true,
  });
  assert.partialDeepStrictEqual(value_wo_version, { requiredAtCreation: true, type: 'number' });
});

test('optional write-only fields and nullable ones keep their kind', () => {
  const resource = defineResource({
    name: 'sample',
    path: '/v1/samples',
    description: '',
    naturalId: ['name'],
    computed: { seen_at: Type.Union([Type.String(), Type.Null()], { description: 'When.' }) },
    fixed: {},
    changeable: {
      flag: Type.Optional(Type.Boolean()),
      size: Type.Optional(Type.Object({ mib: Type.Integer() })),
    },
    writeOnly: { password: Type.Optional(Type.String()) },
  });
  const attributes = resourceAttributes(resource);
  assert.partialDeepStrictEqual(attributes.seen_at, { type: 'string', description: 'When.' });
  assert.partialDeepStrictEqual(attributes.flag, { type: 'bool', optional: true });
  assert.ok(attributes.size);
  assert.deepEqual(attributeType(attributes.size), ['object', { mib: 'number' }]);
  assert.partialDeepStrictEqual(attributes.password_wo, { optional: true, writeOnly: true });
});

test('every attribute of every resource is described', () => {
  for (const resource of declarableResources) {
    for (const attributes of [resourceAttributes(resource), dataSourceAttributes(resource)]) {
      const bare = Object.entries(attributes).filter(([, { description }]) => description.length < 5);
      assert.deepEqual(bare, [], resource.name);
    }
  }
});

test('a data source is found by id or natural id and shows no write-only value', () => {
  const attributes = dataSourceAttributes(secret);
  assert.partialDeepStrictEqual(attributes.id, { optional: true, computed: true });
  assert.partialDeepStrictEqual(attributes.natural_id, { optional: true });
  assert.match(attributes.natural_id?.description ?? '', /`team\/project\/name`/);
  assert.ok(!Object.keys(attributes).some((name) => name.startsWith('value')));
});
