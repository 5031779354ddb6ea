import type { OperatorScope, Route, Rule, TeamScope } from './rule.ts';

const anyone: Rule = { who: 'anyone' };
const holder: Rule = { who: 'holder' };
const person: Rule = { who: 'person' };
const sourceHost: Rule = { who: 'source host' };
const runnerOfBuild: Rule = { who: 'runner of the build' };
const coreCrew: Rule = { who: 'core crew with a grant' };
const operators = (scope: OperatorScope): Rule => ({ who: 'operators', scope });
/** What belongs to a project, or says so of itself. */
const ofProject = (scope: TeamScope, more: { whileRevoked?: true } = {}): Rule => {
  return { who: 'team', scope, projectTokens: 'own project', whileRevoked: false, ...more };
};
/** What belongs to the whole team. */
const ofTeam = (scope: TeamScope, more: { whileRevoked?: true; onOthers?: TeamScope } = {}): Rule => {
  return { who: 'team', scope, projectTokens: 'never', whileRevoked: false, ...more };
};
/** What belongs to the whole team and is needed to declare a project of it. */
const shownInTeam = (scope: TeamScope): Rule => {
  return { who: 'team', scope, projectTokens: 'all', whileRevoked: false };
};
const whileRevoked = { whileRevoked: true } as const;

/**
 * Who may call which route, by concept: the only place that says so. A route that is not here keeps the API from starting
 * (`authorize-routes.ts`). What roles may is in `contract/role.ts`; docs/authorization.md shows both together.
 */
export const authorization: Readonly<Record<string, Readonly<Record<Route, Rule>>>> = {
  Connections: {
    'POST /v1/connections': ofTeam('projects:write'),
    'GET /v1/connections': shownInTeam('projects:read'),
    'GET /v1/connections/:id': shownInTeam('projects:read'),
    'PATCH /v1/connections/:id': ofTeam('projects:write'),
    'DELETE /v1/connections/:id': ofTeam('projects:write'),
    'POST /v1/connections/:id/revoke': ofTeam('projects:write'),
  },
  Projects: {
    'POST /v1/projects': ofTeam('projects:write'),
    'GET /v1/projects': ofProject('projects:read'),
    'GET /v1/projects/:id': ofProject('projects:read'),
    'PATCH /v1/projects/:id': ofProject('projects:write'),
    'DELETE /v1/projects/:id': ofProject('projects:revoke'),
    'POST /v1/projects/:id/revoke': ofProject('projects:revoke'),
    'POST /v1/projects/:id/key-rotations': ofProject('projects:write'),
    'GET /v1/projects/:id/key-rotations/:rotation': ofProject('projects:read'),
  },
  'Deploy keys, hooks and secrets': {
    'POST /v1/deploy-keys': ofProject('projects:write'),
    'GET /v1/deploy-keys': ofProject('projects:read'),
    'GET /v1/deploy-keys/:id': ofProject('projects:read'),
    'PATCH /v1/deploy-keys/:id': ofProject('projects:write'),
    'DELETE /v1/deploy-keys/:id': ofProject('projects:write'),
    'POST /v1/hook-bindings': ofProject('projects:write'),
    'GET /v1/hook-bindings': ofProject('projects:read'),
    'GET /v1/hook-bindings/:id': ofProject('projects:read'),
    'GET /v1/hook-bindings/:id/deliveries': ofProject('projects:read'),
    'PATCH /v1/hook-bindings/:id': ofProject('projects:write'),
    'DELETE /v1/hook-bindings/:id': ofProject('projects:write'),
    'POST /v1/hooks/:id': sourceHost,
    'POST /v1/secrets': ofProject('projects:write'),
    'GET /v1/secrets': ofProject('projects:read'),
    'GET /v1/secrets/:id': ofProject('projects:read'),
    'PATCH /v1/secrets/:id': ofProject('projects:write'),
    'DELETE /v1/secrets/:id': ofProject('projects:write'),
  },
  Builds: {
    'POST /v1/builds': ofProject('builds:create'),
    'GET /v1/builds': ofProject('builds:read'),
    'GET /v1/builds/:id': ofProject('builds:read'),
    'POST /v1/builds/:id/cancel': ofProject('builds:cancel'),
    'POST /v1/builds/:id/approve': ofProject('builds:approve'),
    'GET /v1/builds/:id/log': ofProject('logs:read'),
    'GET /v1/builds/:id/events': ofProject('logs:read'),
    'GET /v1/team/share': ofTeam('builds:read'),
    'PUT /v1/team/pause': ofTeam('projects:write'),
    'DELETE /v1/team/pause': ofTeam('projects:write'),
    'GET /builds/:id': anyone,
  },
  'Receipts, audit and revocation': {
    'GET /v1/receipts': ofProject('receipts:read', whileRevoked),
    'GET /v1/receipts/:id': ofProject('receipts:read', whileRevoked),
    'GET /v1/builds/:id/receipts': ofProject('receipts:read', whileRevoked),
    'GET /v1/audit-events': ofTeam('audit:read', whileRevoked),
    'GET /v1/audit-events/export': ofTeam('audit:read', whileRevoked),
    'GET /v1/audit-head': ofTeam('audit:read', whileRevoked),
    'GET /v1/revocations': ofTeam('projects:read', whileRevoked),
    'GET /v1/revocations/:id': ofTeam('projects:read', whileRevoked),
    'POST /v1/team/revoke': ofTeam('team:revoke', whileRevoked),
  },
  'Access grants': {
    'POST /v1/access-grants': ofProject('grants:write'),
    'GET /v1/access-grants': ofProject('projects:read'),
    'GET /v1/access-grants/:id': ofProject('projects:read'),
    'PATCH /v1/access-grants/:id': ofProject('grants:write'),
    'DELETE /v1/access-grants/:id': ofProject('grants:write'),
    'GET /v1/access-grants/:id/builds': coreCrew,
    'GET /v1/access-grants/:id/builds/:build': coreCrew,
    'GET /v1/access-grants/:id/builds/:build/log': coreCrew,
    'GET /v1/access-grants/:id/builds/:build/events': coreCrew,
    'GET /v1/access-grants/:id/projects/:project/environment': coreCrew,
    'POST /v1/access-grants/:id/projects/:project/source-runs': coreCrew,
  },
  'Keys and tokens': {
    'POST /v1/api-keys': ofProject('keys:write'),
    'GET /v1/api-keys': ofProject('keys:read'),
    'GET /v1/api-keys/:id': ofProject('keys:read'),
    'DELETE /v1/api-keys/:id': ofProject('keys:write'),
    'POST /v1/workload-identities': ofProject('keys:write'),
    'GET /v1/workload-identities': ofProject('keys:read'),
    'GET /v1/workload-identities/:id': ofProject('keys:read'),
    'PATCH /v1/workload-identities/:id': ofProject('keys:write'),
    'DELETE /v1/workload-identities/:id': ofProject('keys:write'),
    'POST /v1/token': holder,
    'POST /v1/token/renew': holder,
    'POST /v1/token/revoke': holder,
    'POST /v1/token/introspect': ofTeam('keys:read'),
  },
  People: {
    'POST /v1/sign-in': anyone,
    'POST /v1/session': holder,
    'GET /v1/sign-in/github': anyone,
    'GET /v1/sign-in/github/callback': holder,
    'DELETE /v1/session': person,
    'GET /v1/sessions': person,
    'DELETE /v1/sessions/:id': person,
    'GET /v1/person': person,
    'DELETE /v1/person': person,
    'POST /v1/person/github': person,
    'DELETE /v1/person/github': person,
    'POST /v1/person/email-change': person,
    'POST /v1/person/email-confirmation': person,
    'GET /sign-in': anyone,
    'GET /email-change': anyone,
    'GET /invitation': anyone,
  },
  Teams: {
    'GET /v1/teams': person,
    'POST /v1/teams': person,
    'POST /v1/invitations/accept': person,
    'GET /v1/team': ofTeam('projects:read', whileRevoked),
    'PATCH /v1/team': ofTeam('projects:write'),
    'DELETE /v1/team': ofTeam('team:revoke', whileRevoked),
    'POST /v1/team/members': ofTeam('members:write'),
    'GET /v1/team/members': ofTeam('members:read'),
    'GET /v1/team/members/:id': ofTeam('members:read'),
    'PATCH /v1/team/members/:id': ofTeam('members:write'),
    // Who leaves by himself needs no more than to be there; also a team that he revoked.
    'DELETE /v1/team/members/:id': ofTeam('members:read', { onOthers: 'members:write', whileRevoked: true }),
    'POST /v1/team/invitations': ofTeam('members:write'),
    'GET /v1/team/invitations': ofTeam('members:read'),
    'DELETE /v1/team/invitations/:id': ofTeam('members:write'),
  },
  Operators: {
    'GET /v1/operator/overview': operators('operator'),
    'GET /v1/operator/teams': operators('operator'),
    'GET /v1/operator/teams/:id': operators('operator'),
    'PATCH /v1/operator/teams/:id': operators('operator'),
    'GET /v1/operator/fleet': operators('operator'),
    'PATCH /v1/operator/fleet': operators('operator'),
  },
  Runners: {
    'POST /v1/builds/:id/claim': operators('runner'),
    'POST /v1/builds/:id/heartbeat': runnerOfBuild,
    'POST /v1/builds/:id/milestones': runnerOfBuild,
    'POST /v1/builds/:id/waiting': runnerOfBuild,
    'POST /v1/builds/:id/phase': runnerOfBuild,
    'POST /v1/builds/:id/custody-events': runnerOfBuild,
    'POST /v1/builds/:id/finish': runnerOfBuild,
    'POST /v1/builds/:id/log': runnerOfBuild,
    'POST /v1/vm-checks': operators('runner'),
    'GET /v1/key-encryption': operators('runner'),
    'GET /v1/wrapped-keys': operators('runner'),
    'PUT /v1/wrapped-keys/:id': operators('runner'),
    'GET /v1/key-rotations': operators('runner'),
    'GET /v1/key-rotations/:id/task': operators('runner'),
    'POST /v1/key-rotations/:id/result': operators('runner'),
    'POST /v1/key-rotations/:id/failure': operators('runner'),
  },
  'Health and reference': {
    'GET /v1/health': anyone,
    'GET /v1/ready': anyone,
    'GET /.well-known/jwks.json': anyone,
    'GET /v1/openapi.json': anyone,
    'GET /docs': anyone,
    'GET /docs/': anyone,
    'GET /docs/json': anyone,
    'GET /docs/yaml': anyone,
    'GET /docs/static/*': anyone,
    'GET /docs/static/index.html': anyone,
    'GET /docs/static/swagger-initializer.js': anyone,
  },
};

/** Each route of the table with its rule, whatever it is about. */
export const rules = Object.values(authorization).flatMap(
  (routes) => Object.entries(routes) as [Route, Rule][],
);
