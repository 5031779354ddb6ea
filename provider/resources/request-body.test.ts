import assert from 'node:assert/strict';
import { test } from 'node:test';
import { project } from '../../contract/project.ts';
import { secret } from '../../contract/secret.ts';
import { changeBody, creationBody } from './request-body.ts';

const prior = { id: 'sec_1', project_id: 'prj_1', name: 'TOKEN', phases: ['test'], value_wo_version: 1 };
const config = { value_wo: 'hidden' };

test('a creation holds what is planned and the write-only values, under their names in the API', () => {
  const planned = { ...prior, id: null, value_wo: null };
  assert.deepEqual(JSON.parse(creationBody(secret, planned, config)), {
    project_id: 'prj_1',
    name: 'TOKEN',
    phases: ['test'],
    value: 'hidden',
  });
});

test('a change holds only what differs', () => {
  const planned = { ...prior, phases: ['deploy'] };
  assert.equal(changeBody(secret, { prior, planned, config }), '{"phases":["deploy"]}');
});

test('another version sends the write-only value again', () => {
  const planned = { ...prior, value_wo_version: 2 };
  assert.equal(changeBody(secret, { prior, planned, config }), '{"value":"hidden"}');
});

test('nothing is sent when nothing differs', () => {
  assert.equal(changeBody(secret, { prior, planned: prior, config }), undefined);
});

test('what is left out now is null, and a map is sent whole', () => {
  const before = { environment: { A: '1', B: '2' }, image: 'base' };
  const planned = { environment: { A: '1' }, image: null };
  const body = changeBody(project, { prior: before, planned, config: {} });
  assert.equal(body, '{"environment":{"A":"1"},"image":null}');
});
