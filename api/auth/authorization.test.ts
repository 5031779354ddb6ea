import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { scopesOfRole } from '../../contract/role.ts';
import { teamScopes, withParts } from '../../contract/token.ts';
import { openTestContext, type TestContext } from '../test-context.ts';
import { authorization } from './authorization.ts';
import { type Ask, createAsker, idsIn, looksAbsent } from './foreign-eyes-for-tests.ts';
import { absent, requestOf } from './requests-for-tests.ts';
import type { Route, Rule } from './rule.ts';
import { openTeam, type Things } from './team-with-everything-for-tests.ts';

/*
 * Asks every route of the table as everybody who may not, and as those who may. A refusal is asked for with ids of things
 * that there are, permission with ids of none, so that nothing is changed.
 */

let given: TestContext;
let ask: Ask;
let team: Awaited<ReturnType<typeof openTeam>>;
let nowhere: Things;
before(async () => {
  given = await openTestContext();
  ask = createAsker(given);
  team = await openTeam(given);
  nowhere = absent(team.things);
});
after(() => given.close());

type Caller = keyof typeof team.callers;
const roles = ['viewer', 'maintainer', 'owner'] as const;
const operators = ['runner', 'operator', 'core_crew'] as const;
const outsiders = [...operators, 'runner of another build'] as const;

async function refused(route: Route, callers: readonly Caller[], codes: readonly string[]): Promise<void> {
  for (const caller of callers) {
    const answer = await ask(requestOf(route, team.things), team.callers[caller].token);
    assert.equal(answer.status, 403, `${caller}: ${answer.text}`);
    assert.ok(codes.includes(answer.body.code), `${caller}: ${answer.text}`);
  }
}

async function allowed(route: Route, token: string): Promise<void> {
  const { status, text } = await ask(requestOf(route, nowhere), token);
  assert.ok(status !== 401 && status !== 403 && status < 500, text);
}

const checks: { [Who in Rule['who']]: (route: Route, rule: Extract<Rule, { who: Who }>) => Promise<void> } = {
  anyone: async (route) => {
    if (route.startsWith('GET'))
      await looksAbsent(ask, { token: '', things: team.things }, (things) => {
        return requestOf(route, route.includes('/:') ? things : team.things);
      });
  },
  // auth.test.ts and sign-in.test.ts say what each secret opens.
  holder: async () => {},
  'source host': async (route) => {
    const answer = await ask(requestOf(route, team.things), team.owner.token);
    assert.equal(answer.status, 401, answer.text);
  },
  person: async (route) => {
    for (const { token } of [{ token: undefined }, ...Object.values(team.callers)])
      assert.equal((await ask(requestOf(route, team.things), token)).status, 401);
  },
  team: async (route, { scope, onOthers = scope, projectTokens }) => {
    const may = (role: (typeof roles)[number]) =>
      [scope, onOthers].every((needed) => scopesOfRole[role].includes(needed));
    await refused(route, [...roles.filter((role) => !may(role)), ...outsiders], ['insufficient_scope']);
    for (const role of roles.filter(may)) await allowed(route, team.callers[role].token);
    const allBut = await team.keyOf(teamScopes.filter((other) => !withParts([other]).includes(scope)));
    const answer = await ask(requestOf(route, team.things), allBut.token);
    assert.deepEqual([answer.status, answer.body?.code], [403, 'insufficient_scope'], answer.text);
    await limitedToAnotherProject(route, projectTokens);
    const stranger = { token: team.callers['another team'].token, things: team.things };
    const foreign = await looksAbsent(ask, stranger, (things) => requestOf(route, things));
    if (route.includes('/:')) assert.equal(foreign.status, 404, foreign.text);
  },
  operators: async (route, { scope }) => {
    const others = operators.filter((other) => other !== scope);
    const build = scope === 'runner' ? 'wrong_build' : 'insufficient_scope';
    await refused(route, [...roles, 'another project', 'another team', ...others], ['insufficient_scope']);
    await refused(route, ['runner of another build'], [build]);
    await allowed(route, team.callers[scope].token);
  },
  'runner of the build': async (route) => {
    const others = operators.filter((other) => other !== 'runner');
    await refused(route, [...roles, 'another project', 'another team', ...others], ['insufficient_scope']);
    await refused(route, ['runner', 'runner of another build'], ['wrong_build']);
  },
  'core crew with a grant': async (route) => {
    const others = [
      'another project',
      'another team',
      'runner',
      'operator',
      'runner of another build',
    ] as const;
    await refused(route, [...roles, ...others], ['not_core_crew']);
    const without = await ask(requestOf(route, nowhere), team.callers.core_crew.token);
    assert.equal(without.status, 404, without.text);
  },
};

async function limitedToAnotherProject(route: Route, projectTokens: 'own project' | 'never' | 'all') {
  const { status, text, body } = await ask(
    requestOf(route, team.things),
    team.callers['another project'].token,
  );
  if (projectTokens === 'all') return assert.equal(status, 200, text);
  if (projectTokens === 'never' || route.includes('/:') || route.startsWith('POST'))
    return assert.deepEqual([status, body?.code], [403, 'wrong_project'], text);
  assert.deepEqual(idsIn(text, team.things), [], text);
}

for (const [concept, routes] of Object.entries(authorization))
  describe(concept, () => {
    for (const [route, rule] of Object.entries(routes) as [Route, Rule][])
      test(`${route} is for ${rule.who}${'scope' in rule ? ` with ${rule.scope}` : ''} alone`, async () => {
        if (!['anyone', 'holder', 'source host'].includes(rule.who)) {
          const answer = await ask(requestOf(route, team.things));
          assert.equal(answer.status, 401, answer.text);
        }
        await (checks[rule.who] as (route: Route, rule: Rule) => Promise<void>)(route, rule);
      });
  });
