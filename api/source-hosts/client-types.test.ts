import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeGitea } from './gitea-description-for-tests.ts';
import { describeGitlab } from './gitlab-description-for-tests.ts';
import type { ApiDescription } from './openapi-for-tests.ts';

const none = new URLSearchParams();

function ask(api: ApiDescription, request: string) {
  const [method = '', path = ''] = request.split(' ');
  return api.operation(method, path);
}

test('what gitea-js does not declare is no request or answer of Gitea', () => {
  const api = describeGitea();
  const hook = { type: 'gitea', config: { url: 'https://ebb.example.com' }, events: ['push'], active: true };
  const hooks = ask(api, 'POST /repos/acme/shop/hooks');
  hooks.checkRequest(none, hook);
  assert.throws(() => hooks.checkRequest(none, { ...hook, secret: 'x' }), /additional properties/);
  assert.throws(() => hooks.checkRequest(none, { ...hook, events: 'push' }), /must be array/);
  assert.throws(() => hooks.checkRequest(none, undefined), /needs a body/);
  assert.throws(() => hooks.checkResponse(201, { ...hook, active: 'yes' }), /must be boolean/);
  const branches = ask(api, 'GET /repos/acme/shop/branches');
  branches.checkRequest(new URLSearchParams('limit=50&page=2'), undefined);
  assert.throws(() => branches.checkRequest(new URLSearchParams('per_page=50'), undefined), /per_page/);
  assert.throws(() => ask(api, 'POST /repos/acme/shop/branches'), /has no POST/);
});

test('what gitbeaker does not declare is no request or answer of GitLab', () => {
  const { api, fill } = describeGitlab();
  const hook = { url: 'https://ebb.example.com', push_events: true, signing_token: 'whsec_x' };
  const hooks = ask(api, 'POST /projects/acme%2Fshop/hooks');
  hooks.checkRequest(none, hook);
  assert.throws(() => hooks.checkRequest(none, { ...hook, pushEvents: true }), /additional properties/);
  assert.throws(() => hooks.checkRequest(none, { push_events: true }), /required property 'url'/);
  assert.throws(() => hooks.checkResponse(201, hook), /required property/);
  const whole = fill('POST /projects/{id}/hooks', { url: hook.url });
  hooks.checkResponse(201, whole);
  assert.throws(() => hooks.checkResponse(201, { ...whole, token: 'x' }), /additional properties/);
  const status = ask(api, 'POST /projects/acme%2Fshop/statuses/abc');
  status.checkRequest(none, { state: 'failed', name: 'ebb/shop', target_url: 'https://ebb.example.com' });
  assert.throws(() => status.checkRequest(none, { state: 'failure' }), /request of/);
});
