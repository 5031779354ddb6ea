import type { Route } from './rule.ts';
import type { Things } from './team-with-everything-for-tests.ts';

const email = 'eve@example.com';
const token = 'A'.repeat(43);
const trust = { issuer: 'https://ci.example.com', audience: 'ebb', claims: { sub: 'shop' } };
const hour = () => `${new Date(Date.now() + 3_600_000).toISOString().slice(0, 19)}Z`;
const attempt = { attempt: 1 };
const coordinate = 'A'.repeat(43);

/** A body that each route which wants one finds in order, naming these things. */
export const bodies: Partial<Record<Route, (things: Things) => object>> = {
  'POST /v1/connections': () => ({ name: 'new', kind: 'local' }),
  'PATCH /v1/connections/:id': () => ({}),
  'POST /v1/projects': ({ connection }) => ({ connection_id: connection, name: 'new', repository: 'new' }),
  'PATCH /v1/projects/:id': () => ({}),
  'POST /v1/deploy-keys': ({ project }) => ({ project_id: project }),
  'PATCH /v1/deploy-keys/:id': () => ({}),
  'POST /v1/hook-bindings': ({ project }) => ({ project_id: project }),
  'PATCH /v1/hook-bindings/:id': () => ({}),
  'POST /v1/secrets': ({ project }) => ({ project_id: project, name: 'NEW', value: 'hush' }),
  'PATCH /v1/secrets/:id': () => ({}),
  'POST /v1/builds': ({ project }) => ({ project_id: project }),
  'PUT /v1/team/pause': () => ({ reason: 'A move' }),
  'POST /v1/team/revoke': () => ({ name: 'nobody' }),
  'POST /v1/access-grants': ({ project }) => ({
    ...{ project_id: project, reason: 'A look', scope: ['logs'], notify: [email], ends_at: hour() },
  }),
  'PATCH /v1/access-grants/:id': () => ({ ends_at: hour() }),
  'POST /v1/access-grants/:id/projects/:project/source-runs': () => ({
    ...{ commit: 'a'.repeat(40), commands: ['true'] },
  }),
  'POST /v1/api-keys': ({ project }) => ({ project_id: project, name: 'new', scopes: ['builds:read'] }),
  'POST /v1/token/introspect': () => ({ token }),
  'POST /v1/workload-identities': ({ project }) => ({
    ...{ ...trust, project_id: project, name: 'new', scopes: ['builds:read'] },
  }),
  'PATCH /v1/workload-identities/:id': () => ({}),
  'DELETE /v1/person': () => ({ email }),
  'POST /v1/person/email-change': () => ({ email }),
  'POST /v1/person/email-confirmation': () => ({ token }),
  'POST /v1/teams': () => ({ name: 'new' }),
  'POST /v1/invitations/accept': () => ({ token }),
  'PATCH /v1/team': () => ({}),
  'POST /v1/team/members': () => ({ email: 'new@example.com', role: 'viewer' }),
  'PATCH /v1/team/members/:id': () => ({ role: 'viewer' }),
  'POST /v1/team/invitations': () => ({ email, role: 'viewer' }),
  'PATCH /v1/operator/teams/:id': () => ({}),
  'PATCH /v1/operator/fleet': () => ({}),
  'POST /v1/builds/:id/claim': () => ({ lease_holder: 'runner-2' }),
  'POST /v1/builds/:id/heartbeat': () => attempt,
  'POST /v1/builds/:id/milestones': () => ({ ...attempt, milestone: 'vm_gone', at: hour() }),
  'POST /v1/builds/:id/waiting': () => ({ ...attempt, reason: 'No room.' }),
  'POST /v1/builds/:id/phase': () => ({ ...attempt, phase: 'checkout' }),
  'POST /v1/builds/:id/custody-events': () => ({
    ...{ ...attempt, number: 1, at: hour(), event: { action: 'deploy_key.opened' } },
  }),
  'POST /v1/builds/:id/finish': () => ({ ...attempt, outcome: 'passed' }),
  'POST /v1/vm-checks': () => ({ vms: [] }),
  'PUT /v1/wrapped-keys/:id': () => ({ from: 'file:a x', to: 'file:b x' }),
  'POST /v1/key-rotations/:id/result': () => ({
    ...{ from: 'x', wrapped_private_key: 'x', deploy_key: null, secrets: [] },
    public_key: { kty: 'EC', crv: 'P-256', x: coordinate, y: coordinate },
  }),
  'POST /v1/key-rotations/:id/failure': () => ({ reason: 'No.' }),
};

export const kinds: [path: string, kind: keyof Things][] = [
  ['/v1/connections/', 'connection'],
  ['/v1/projects/', 'project'],
  ['/v1/deploy-keys/', 'deployKey'],
  ['/v1/hook-bindings/', 'hook'],
  ['/v1/hooks/', 'hook'],
  ['/v1/secrets/', 'secret'],
  ['/v1/builds/', 'build'],
  ['/v1/receipts/', 'receipt'],
  ['/v1/revocations/', 'revocation'],
  ['/v1/access-grants/', 'grant'],
  ['/v1/api-keys/', 'apiKey'],
  ['/v1/workload-identities/', 'workload'],
  ['/v1/sessions/', 'member'],
  ['/v1/team/members/', 'member'],
  ['/v1/team/invitations/', 'invitation'],
  ['/v1/operator/teams/', 'team'],
  ['/v1/wrapped-keys/', 'project'],
  ['/v1/key-rotations/', 'rotation'],
];

/** The request of a route with the ids of these things at every place of its path and body. */
export function requestOf(route: Route, things: Things) {
  const [method = '', path = ''] = route.split(' ');
  const kind = kinds.find(([start]) => path.startsWith(start))?.[1];
  const url = path
    .replace(':id', () => (kind ? things[kind] : ''))
    .replace(':build', things.build)
    .replace(':project', things.project)
    .replace(':rotation', things.rotation);
  const query = route === 'POST /v1/builds/:id/log' ? '?attempt=1&offset=0' : '';
  const payload = bodies[route]?.(things);
  return { method: method as 'GET', url: `${url}${query}`, ...(payload && { payload }) };
}

/** Ids of the same form that nothing has. */
export function absent(things: Things): Things {
  const entries = Object.entries(things).map(([kind, id]) => {
    return [kind, kind === 'projectName' ? 'nowhere' : `${id.split('_')[0]}_${'0'.repeat(26)}`];
  });
  return Object.fromEntries(entries) as Things;
}
