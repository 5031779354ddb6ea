import { requestOf } from '../../api/auth/requests-for-tests.ts';
import type { Route, Rule } from '../../api/auth/rule.ts';
import { openTeam } from '../../api/auth/team-with-everything-for-tests.ts';
import { browserOf } from '../../api/people/browser-for-tests.ts';
import { send, signIn } from '../../api/test-client.ts';
import type { TestContext } from '../../api/test-context.ts';

export interface Asked {
  method: 'GET';
  url: string;
  payload?: object | string;
}

/** A team with one of each thing, and a way to call each route as who may. */
export async function openAttack(given: TestContext) {
  const team = await openTeam(given);
  const person = await browserOf(given, 'mallory@example.com');
  const runner = await signIn(given, given.keys.runner);
  const claim = { lease_holder: 'runner-1' };
  const claimed = await runner.call('POST', `/v1/builds/${team.things.build}/claim`, claim);
  if (claimed.status !== 200) throw new Error(claimed.text);
  const cookie = [...person.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  const tokens = { ...team.callers, 'its runner': { token: claimed.body.token as string } };
  const bearer = (who: keyof typeof tokens) => ({ authorization: `Bearer ${tokens[who].token}` });
  const headersFor = (rule: Rule): Record<string, string> => {
    switch (rule.who) {
      case 'team':
        return bearer('owner');
      case 'operators':
        return bearer(rule.scope);
      case 'runner of the build':
        return bearer('its runner');
      case 'core crew with a grant':
        return bearer('core_crew');
      case 'person':
        return { cookie, origin: given.context.publicUrl };
      default:
        return {};
    }
  };
  let asked = 0;
  return {
    team,
    /** The request of a route in order, with ids of the team's things. */
    requestOf: (route: Route): Asked => requestOf(route, team.things),
    /** From ever other places, as what one place may be refused is limited. */
    ask: async (rule: Rule, request: Asked, headers: Record<string, string> = {}) =>
      await send(given, {
        ...request,
        remoteAddress: `198.51.${(++asked >> 6) % 250}.7`,
        headers: { ...headersFor(rule), ...headers },
      }),
  };
}
