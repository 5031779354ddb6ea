import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connection } from '../../contract/connection.ts';
import { deployKey } from '../../contract/deploy-key.ts';
import { project } from '../../contract/project.ts';
import type { Resource } from '../../contract/resource.ts';
import { secret } from '../../contract/secret.ts';
import { unknown, type ValueMap } from '../plugin/value.ts';
import { validateResource } from './validate.ts';
import { validateNew } from './validate-new.ts';

const complaints = (resource: Resource, config: ValueMap) =>
  validateResource(resource, config).map(({ path, detail }) => [path?.join('.'), detail]);

function only(resource: Resource, config: ValueMap, path: string, detail: RegExp) {
  const found = complaints(resource, config);
  assert.equal(found.length, 1, JSON.stringify(found));
  assert.equal(found[0]?.[0], path);
  assert.match(found[0]?.[1] ?? '', detail);
}

test('a good configuration passes, and nothing is said of what is null or unknown', () => {
  assert.deepEqual(
    complaints(project, { name: 'shop', repository: 'acme/shop', test: ['make'], timeout_minutes: 5 }),
    [],
  );
  assert.deepEqual(
    complaints(project, { name: unknown, deploy: unknown, setup: [unknown], environment: null }),
    [],
  );
});

test('a message has the value, its problem and how to mend it', () => {
  only(
    project,
    { name: 'Shop!' },
    'name',
    /"Shop!" is not valid\..*pattern.*Lower-case letters, digits and hyphens/s,
  );
});

test('numbers are held in their range', () => {
  only(project, { timeout_minutes: 0 }, 'timeout_minutes', /0 is not valid\. It must be at least 1\./);
  only(project, { memory_mib: 70_000 }, 'memory_mib', /must be at most 65536/);
  only(project, { concurrency: '1.5' }, 'concurrency', /whole number/);
});

test('values of an enumeration are listed', () => {
  only(project, { image: 'windows' }, 'image', /must be one of: base/);
  const cancels = 'cancel_intermediate_builds';
  only(project, { [cancels]: 'all' }, cancels, /must be one of: none, waiting, running/);
});

test('lengths count characters, not UTF-16 units', () => {
  assert.deepEqual(complaints(project, { default_branch: '😀'.repeat(200) }), []);
  only(project, { default_branch: '😀'.repeat(201) }, 'default_branch', /201 characters; at most 200/);
  only(project, { setup: [''] }, 'setup.0', /must not be empty/);
});

test('the path leads into lists, objects and maps', () => {
  only(project, { deploy: [{ branch: 'main', commands: [] }] }, 'deploy.0.commands', /at least 1 item/);
  only(project, { environment: { '1A': 'x' } }, 'environment.1A', /The name "1A" must match/);
  only(project, { test: ['make', null] }, 'test.1', /must not be null/);
});

test('a set must not hold an item twice', () => {
  only(secret, { phases: ['test', 'test'] }, 'phases', /same item twice/);
});

test('the value of a secret is judged and never shown', () => {
  only(secret, { value_wo: '', value_wo_version: 1 }, 'value_wo', /^It must not be empty/);
  const long = complaints(secret, { value_wo: 'hidden'.repeat(20_000), value_wo_version: 1 });
  assert.equal(long.length, 1);
  assert.doesNotMatch(long[0]?.[1] ?? '', /hidden/);
});

test('a value that could never be sent again, and members that exclude each other, are told', () => {
  only(secret, { value_wo: 'x' }, 'value_wo_version', /^"value_wo" needs "value_wo_version", any number/);
  const brought = { private_key_wo: 'PEM', private_key_wo_version: 1 };
  only(
    deployKey,
    { ...brought, rotate_when: { month: '12' } },
    'rotate_when',
    /^"rotate_when" has no meaning beside "private_key_wo"/,
  );
  assert.deepEqual(complaints(deployKey, { ...brought, rotate_when: unknown }), []);
  only(project, { environment: { A: null } }, 'environment.A', /^It must not be null\. Leave the name out/);
});

test('a connection that its kind of host would not take is told before room is made for it', () => {
  const told = (config: ValueMap) =>
    validateNew(connection, config).map(({ path, detail }) => [path?.join('.'), detail]);
  const needs =
    'A connection of kind github needs a credential: token_wo; or app_id, installation_id, private_key_wo.';
  assert.deepEqual(told({ kind: 'github' }), [['token_wo', needs]]);
  assert.match(told({ kind: 'local', token_wo: 'x' })[0]?.[1] ?? '', /^token_wo has no meaning for .* local/);
  assert.match(told({ kind: 'gitea', url: unknown, token_wo: 'x' }).join(), /ssh_host_keys is missing/);
  assert.deepEqual(told({ kind: 'github', token_wo: unknown }), []);
  assert.deepEqual(told({ kind: unknown }), []);
});
