import { createAnswerJudge } from '../../api/http/described-answers-for-tests.ts';
import type { FuzzAnswer, FuzzRequest } from './request.ts';
import { planted, type World } from './world.ts';

// What only somebody inside can know: where the source lies, what was called, what the database said.
const insides = [
  ...[import.meta.dirname.slice(0, -'/test/fuzz'.length), 'node_modules', 'file:///', '.ts:', '\n    at '],
  ...[
    'syntax error at',
    'violates ',
    'duplicate key value',
    'relation "',
    'invalid input syntax',
    'kysely',
    'PGlite',
  ],
  ...[
    'select ',
    'insert into ',
    'update "',
    'ECONNREFUSED',
    'ENOENT',
    'TypeError',
    'is not a function',
    'of undefined',
  ],
];

/** What must not be in an answer, whoever asks. */
export function createJudge({ document, victim }: World) {
  const judgeForm = createAnswerJudge(document);
  const foreign = [victim.teamId, ...Object.values(victim.things)];
  /** Foreign ids that the attacker gave to things of its own, as their names or values. */
  const taken = new Set<string>();

  /** Everything that is wrong with the answer. */
  return (request: FuzzRequest, { status, headers, body }: FuzzAnswer): string[] => {
    const path = request.route.split(' ')[1];
    const isOfRoute = request.method === request.route.split(' ')[0] && status !== 404 && status !== 405;
    const undescribed =
      // A changed path or method may be another route's, or none.
      isOfRoute || status >= 500
        ? judgeForm({
            ...{ method: request.method, status, headers, body },
            path: atRoute(request) ? path : undefined,
          })
        : undefined;
    const written = `${request.body ?? ''} ${decoded(`${request.body ?? ''}`)}`;
    const sent = `${decoded(request.url)} ${JSON.stringify(request.headers)} ${written}`;
    const told = `${JSON.stringify(headers)} ${body ?? ''}`;
    if (status < 300 && request.method !== 'GET')
      for (const id of foreign) if (written.includes(id)) taken.add(id);
    return [
      ...(undescribed === undefined ? [] : [undescribed]),
      ...(status >= 500 && status !== 503 ? [`${status}: ${body}`] : []),
      ...Object.values(planted)
        .filter((secret) => told.includes(secret))
        .map((secret) => `${secret} is told`),
      ...(status < 400
        ? []
        : insides
            .filter((word) => told.includes(word) && !sent.includes(word))
            .map((word) => `it tells of insides: ${word}`)),
      ...(isOfOperators(request)
        ? []
        : foreign
            .filter((id) => told.includes(id) && !sent.includes(id) && !taken.has(id))
            .map((id) => `it tells of the other team's ${id}`)),
    ];
  };
}

/** Whether the path still has the form of the route. */
function atRoute({ route, url }: FuzzRequest): boolean {
  const parts = (route.split(' ')[1] ?? '').split('/');
  const asked = (url.split('?')[0] ?? '').split('/');
  return (
    parts.length === asked.length &&
    // Also with an empty id: the route is asked for nothing then.
    parts.every((part, i) => part.startsWith(':') || part === asked[i])
  );
}

/** They have names and counts of all teams, and runners what is to be built. */
function isOfOperators({ route }: FuzzRequest): boolean {
  return / \/v1\/(operator|wrapped-keys|key-rotations|key-encryption)/.test(route);
}

function decoded(url: string): string {
  try {
    return decodeURIComponent(url);
  } catch {
    return url;
  }
}
