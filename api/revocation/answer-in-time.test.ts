import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startServer } from '../server.ts';
import { created, declareBuildableProject, signIn } from '../test-client.ts';
import { openTestContext, type TestContext } from '../test-context.ts';

let given: TestContext;
before(async () => {
  given = await openTestContext();
});
after(() => given.close());

test('deleting a project whose build does not end is answered before the connection is cut for being silent', async (t) => {
  const server = await startServer({ context: given.context, listen: { host: '127.0.0.1', port: 0 } });
  t.after(server.close);
  const admin = await signIn(given, given.keys.admin);
  const runner = await signIn(given, given.keys.runner);
  const project = await declareBuildableProject(given, admin);
  const build = await created(admin, '/v1/builds', { project_id: project.id });
  await runner.call('POST', `/v1/builds/${build.id}/claim`, { lease_holder: 'runner-1' });
  // Nobody ends the VM, so that the revocation goes on for long.
  const answer = await fetch(`${server.url}/v1/projects/${project.id}`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${admin.token}` },
  });
  assert.equal(answer.status, 202);
  assert.equal(answer.headers.get('retry-after'), '2');
});
