import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openTestContext, type TestContext } from '../test-context.ts';
import { rules } from './authorization.ts';
import { type Ask, createAsker } from './foreign-eyes-for-tests.ts';
import { requestOf } from './requests-for-tests.ts';
import { openTeam } from './team-with-everything-for-tests.ts';

/* Of a team that is revoked one key is left, which follows that and fetches what proves it. */

let given: TestContext;
let ask: Ask;
let team: Awaited<ReturnType<typeof openTeam>>;
before(async () => {
  given = await openTestContext();
  ask = createAsker(given);
  team = await openTeam(given);
  // The runner of this test reports no end of its build.
  await given.context.database
    .updateTable('build')
    .set({ state: 'cancelled', finished_at: given.context.now() })
    .execute();
  const asked = await team.owner.call('POST', '/v1/team/revoke', { name: 'crew' });
  assert.equal(asked.status, 200, asked.text);
});
after(() => given.close());

for (const [route, rule] of rules) {
  if (rule.who !== 'team') continue;
  const opens = rule.whileRevoked ? 'opens' : 'does not open';
  test(`the key that is left of a revoked team ${opens} ${route}, and no other key does`, async () => {
    const left = await ask(requestOf(route, team.things), team.owner.token);
    if (rule.whileRevoked) assert.ok(left.status !== 401 && left.status < 500, left.text);
    else assert.deepEqual([left.status, left.body?.code], [401, 'team_revoked'], left.text);
    for (const caller of ['viewer', 'maintainer', 'another project'] as const)
      assert.equal((await ask(requestOf(route, team.things), team.callers[caller].token)).status, 401);
  });
}
