import type { Route } from '../auth/rule.ts';

/** Status and code of a problem: `409 name_taken`. */
export type Refusal = `${number} ${string}`;

const atSourceHost: Refusal[] = [
  '409 key_in_use',
  '422 repository_moved',
  '422 repository_not_found',
  '422 source_host_refused',
  '422 source_host_unauthorized',
  '503 source_host_rate_limited',
  '503 source_host_timeout',
  '503 source_host_unreachable',
];
const ofRevocation: Refusal[] = [
  '503 builds_still_ending',
  '503 internal_error',
  '503 revocation_going_on',
  '503 source_host_refused',
  '503 source_host_unreachable',
];
const ofAttempt: Refusal[] = ['403 wrong_attempt', '409 old_attempt', '409 taken_over'];
const underGrant: Refusal[] = [
  '403 grant_ended',
  '403 grant_project',
  '403 grant_revoked',
  '403 grant_scope',
  '403 grant_taken_back',
  '403 grant_team',
  '403 not_core_crew',
  '403 project_revoked',
];
/** Where a log or events are read. */
const ofReading: Refusal[] = ['410 log_destroyed', '429 too_many_readers'];
const ofMembers: Refusal[] = [
  '409 already_member',
  '409 mail_not_configured',
  '409 sign_up_closed',
  '429 too_many_mails',
];
const ofGithubAccount: Refusal[] = [
  '401 not_signed_in',
  '409 github_account_taken',
  '409 github_already_connected',
];
const ofGithubLogin: Refusal[] = ['409 github_not_configured', '429 too_many_attempts'];

/**
 * What each route refuses on its own account, beside what every route of its kind does (`refusals.ts`). Tests fail for an
 * answer that is in neither, and the API does not describe a route that is not there.
 */
export const ownRefusals: Readonly<Partial<Record<Route, readonly Refusal[]>>> = {
  'POST /v1/connections': ['409 name_taken', '409 team_revoked', ...atSourceHost],
  'PATCH /v1/connections/:id': ['409 changed_meanwhile', ...atSourceHost],
  'DELETE /v1/connections/:id': ['409 connection_in_use', '409 connection_revoked'],
  'POST /v1/connections/:id/revoke': ofRevocation,
  'POST /v1/projects': [
    ...(['409 connection_revoked', '409 name_taken', '503 key_service_unavailable'] as const),
    ...atSourceHost,
  ],
  'PATCH /v1/projects/:id': ['409 changed_meanwhile'],
  'DELETE /v1/projects/:id': ofRevocation,
  'POST /v1/projects/:id/revoke': ofRevocation,
  'POST /v1/projects/:id/key-rotations': ['409 project_revoked'],
  'POST /v1/deploy-keys': [
    ...(['409 changed_meanwhile', '409 deploy_key_exists', '409 project_revoked'] as const),
    ...atSourceHost,
  ],
  'GET /v1/deploy-keys/:id': ['404 revoked_at_source_host', '409 project_revoked', ...atSourceHost],
  'PATCH /v1/deploy-keys/:id': [
    ...(['409 changed_meanwhile', '409 deploy_key_removed', '409 project_revoked'] as const),
    ...atSourceHost,
  ],
  'DELETE /v1/deploy-keys/:id': ['409 project_revoked', ...atSourceHost],
  'POST /v1/hook-bindings': ['409 hook_binding_exists', '409 project_revoked', ...atSourceHost],
  'GET /v1/hook-bindings/:id': ['409 project_revoked', ...atSourceHost],
  'PATCH /v1/hook-bindings/:id': ['409 hook_binding_removed', '409 project_revoked', ...atSourceHost],
  'DELETE /v1/hook-bindings/:id': ['409 project_revoked', ...atSourceHost],
  'POST /v1/hooks/:id': [
    ...(['400 malformed', '401 signature_invalid', '401 signature_missing', '403 wrong_repository'] as const),
    ...(['409 delivery_replayed', '413 too_large', '415 encoding_not_supported', '503 busy'] as const),
  ],
  'POST /v1/secrets': ['409 changed_meanwhile', '409 name_taken', '409 project_revoked'],
  'PATCH /v1/secrets/:id': ['409 changed_meanwhile', '409 project_revoked'],
  'POST /v1/builds': ['409 no_deploy_key', '409 project_revoked', '503 queue_full', ...atSourceHost],
  'POST /v1/builds/:id/approve': ['409 not_awaiting', '409 project_revoked', '503 queue_full'],
  'GET /v1/builds/:id/log': ofReading,
  'GET /v1/builds/:id/events': ofReading,
  'DELETE /v1/team/pause': ['409 paused_by_operator'],
  'POST /v1/team/revoke': ofRevocation,
  'POST /v1/access-grants': ['409 mail_not_configured'],
  'PATCH /v1/access-grants/:id': ['409 grant_ended'],
  'GET /v1/access-grants/:id/builds': underGrant,
  'GET /v1/access-grants/:id/builds/:build': underGrant,
  'GET /v1/access-grants/:id/builds/:build/log': [...ofReading, ...underGrant],
  'GET /v1/access-grants/:id/builds/:build/events': [...ofReading, ...underGrant],
  'GET /v1/access-grants/:id/projects/:project/environment': underGrant,
  'POST /v1/access-grants/:id/projects/:project/source-runs': [
    ...(['409 no_deploy_key', '409 project_revoked', '503 queue_full'] as const),
    ...underGrant,
  ],
  'POST /v1/workload-identities': ['409 name_taken'],
  'PATCH /v1/workload-identities/:id': ['409 changed_meanwhile'],
  'POST /v1/sign-in': ['403 wrong_origin', '409 mail_not_configured', '429 too_many_mails'],
  'POST /v1/session': ['401 link_not_good', '403 wrong_origin', ...ofGithubAccount],
  'GET /v1/sign-in/github': ['403 wrong_origin', ...ofGithubLogin],
  'GET /v1/sign-in/github/callback': [
    ...(['401 github_sign_in_not_good', '403 github_address_unverified', '403 github_denied'] as const),
    ...(['409 github_not_configured', '409 mail_not_configured', '429 too_many_mails'] as const),
    ...(['502 github_misconfigured', '503 github_unreachable'] as const),
    ...ofGithubAccount,
  ],
  'POST /v1/person/github': ofGithubLogin,
  'DELETE /v1/person/github': ['404 not_found', '409 last_way_in'],
  'DELETE /v1/person': ['409 last_owner'],
  'DELETE /v1/sessions/:id': ['404 not_found'],
  'POST /v1/person/email-change': [
    ...(['409 address_taken', '409 mail_not_configured', '429 too_many_mails'] as const),
  ],
  'POST /v1/person/email-confirmation': ['404 link_not_good', '409 address_taken'],
  'POST /v1/teams': ['409 name_taken', '409 too_many_teams'],
  'POST /v1/invitations/accept': ['404 link_not_good', '409 already_member', '409 too_many_teams'],
  'DELETE /v1/team': ['409 deletion_protected', ...ofRevocation],
  'POST /v1/team/members': ['409 already_invited', ...ofMembers],
  'GET /v1/team/members/:id': ['404 invitation_over'],
  'PATCH /v1/team/members/:id': ['404 invitation_over', '409 last_owner', ...ofMembers],
  'DELETE /v1/team/members/:id': ['404 invitation_over', '409 last_owner', '409 team_revoked'],
  'POST /v1/team/invitations': ofMembers,
  'POST /v1/builds/:id/claim': [
    ...(['409 cannot_build', '409 claim_spent', '409 grant_ended', '409 not_claimable'] as const),
    ...(['409 not_to_take_over', '503 still_held'] as const),
  ],
  'POST /v1/builds/:id/heartbeat': ['403 wrong_attempt'],
  'POST /v1/builds/:id/milestones': ['409 other_vm', '409 vm_used', ...ofAttempt],
  'POST /v1/builds/:id/waiting': ofAttempt,
  'POST /v1/builds/:id/phase': ['409 cancelled', '409 deploy_started', '409 not_running', ...ofAttempt],
  'POST /v1/builds/:id/custody-events': ['409 not_to_open', ...ofAttempt],
  'POST /v1/builds/:id/finish': ['409 already_over', '409 no_vm', ...ofAttempt],
  'POST /v1/builds/:id/log': ['409 log_gap', '413 log_limit', ...ofAttempt],
  'PUT /v1/wrapped-keys/:id': ['409 changed_meanwhile', '409 other_wrapping_key'],
  'GET /v1/key-rotations/:id/task': ['409 not_waiting'],
  'POST /v1/key-rotations/:id/result': [
    ...(['409 changed_meanwhile', '409 not_waiting', '409 other_wrapping_key'] as const),
  ],
  'POST /v1/key-rotations/:id/failure': ['409 not_waiting'],
};
