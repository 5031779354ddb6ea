import type { FastifyRequest, onRequestAsyncHookHandler, preHandlerAsyncHookHandler } from 'fastify';
import type { ApiContext } from '../context.ts';
import type { App } from '../http/app-type.ts';
import { requirePerson } from '../people/require-person.ts';
import { authorization } from './authorization.ts';
import type { Check } from './check.ts';
import { requireBuildToken, requireScope, requireToken } from './require-scope.ts';
import type { Rule } from './rule.ts';

/**
 * Puts before each route that is added after it the check that the table has for it. Throws for a route without a line in
 * the table, and when the app becomes ready for a line without a route.
 */
export function authorizeRoutes(app: App, context: ApiContext, table = authorization): void {
  const rules = new Map<string, Rule>(Object.values(table).flatMap((routes) => Object.entries(routes)));
  const unused = new Set(rules.keys());
  app.addHook('onRoute', (route) => {
    for (const method of [route.method].flat()) {
      const name = `${method === 'HEAD' ? 'GET' : method} ${route.url}`;
      const rule = rules.get(name);
      if (!rule) throw new Error(`No rule says who may call ${name}. Add it to api/auth/authorization.ts.`);
      unused.delete(name);
      const check = checkOf(context, rule);
      if (!check) continue;
      // Before the body is read: who may not ask makes no work.
      const first: onRequestAsyncHookHandler = async (request, reply) =>
        await check(request, async () => await app.limitKey(request, reply));
      // And after it, for which a client may take its time: the right may have gone meanwhile.
      const again: preHandlerAsyncHookHandler = async (request) => {
        if (hasBody(request)) await check(request, async () => {});
      };
      route.onRequest = [first, ...[route.onRequest ?? []].flat()];
      route.preHandler = [again, ...[route.preHandler ?? []].flat()];
    }
  });
  app.addHook('onReady', async () => {
    if (unused.size > 0)
      throw new Error(`api/auth/authorization.ts has rules without a route: ${[...unused].join(', ')}.`);
  });
}

/** @see https://www.rfc-editor.org/rfc/rfc9112#section-6.3 */
function hasBody({ headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function checkOf(context: ApiContext, rule: Rule): Check | undefined {
  switch (rule.who) {
    case 'anyone':
    case 'holder':
    case 'source host':
      return undefined;
    case 'person':
      return requirePerson(context);
    case 'team':
      return requireScope(context, rule.scope, {
        scopeOnOthers: rule.onOthers,
        whileTeamIsRevoked: rule.whileRevoked,
        wholeTeam: rule.projectTokens === 'never',
      });
    case 'operators':
      return requireScope(context, rule.scope);
    case 'runner of the build':
      return requireBuildToken(context);
    case 'core crew with a grant':
      return requireToken(context);
  }
}
