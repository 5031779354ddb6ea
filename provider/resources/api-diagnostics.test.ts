import assert from 'node:assert/strict';
import { test } from 'node:test';
import { project } from '../../contract/project.ts';
import { secret } from '../../contract/secret.ts';
import { ApiError, ApiUnreachableError } from '../client/api-error.ts';
import { DiagnosticError } from '../plugin/diagnostic.ts';
import { inTerraformsWords } from './api-diagnostics.ts';

function diagnostics(error: unknown, resource: Parameters<typeof inTerraformsWords>[2] = project) {
  const translated = inTerraformsWords(error, 'create the project', resource);
  assert.ok(translated instanceof DiagnosticError);
  return translated.diagnostics;
}

test('each error of a problem document is told at its attribute', () => {
  const errors = [
    { pointer: '#/deploy/0/branch', detail: 'Too long.' },
    { pointer: '#/environment/A~1B', detail: 'Not a name.' },
  ];
  const [first, second] = diagnostics(new ApiError(422, { detail: 'Invalid.', errors, request_id: 'req_1' }));
  assert.deepEqual(first?.path, ['deploy', 0, 'branch']);
  assert.match(first?.detail ?? '', /Too long\.\n\nRequest req_1, status 422\./);
  assert.deepEqual(second?.path, ['environment', 'A/B']);
});

test('what is in the way may be what Terraform is about to replace', () => {
  const [key] = diagnostics(new ApiError(409, { code: 'deploy_key_exists', detail: 'It has one already.' }));
  assert.match(key?.detail ?? '', /^It has one already\.\n\n.* remove create_before_destroy\.$/);
});

test('a write-only field is told at its attribute in Terraform', () => {
  const error = new ApiError(422, { errors: [{ pointer: '#/value', detail: 'Too long.' }] });
  assert.deepEqual(diagnostics(error, secret)[0]?.path, ['value_wo']);
});

test('a problem without fields is told as a whole', () => {
  const [only] = diagnostics(new ApiError(403, { detail: 'The key may not write.' }));
  assert.deepEqual(only, {
    severity: 'error',
    summary: 'Cannot create the project',
    detail: 'The key may not write.',
  });
});

test('a lost connection is told with its reason', () => {
  const cause = new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED 127.0.0.1:1') });
  assert.match(diagnostics(new ApiUnreachableError('GET /', cause))[0]?.detail ?? '', /ECONNREFUSED/);
});

test('a bug stays a bug', () => {
  const bug = new TypeError('undefined is not a function');
  assert.equal(inTerraformsWords(bug, 'create the project', project), bug);
});
