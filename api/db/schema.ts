import type { JsonWebKey } from 'node:crypto';
import type { Generated } from 'kysely';
import type { GrantScope } from '../../contract/access-grant.ts';
import type { BuildState, Milestone, Phase, Trigger } from '../../contract/build.ts';
import type { Connection } from '../../contract/connection.ts';
import type { DeployKey } from '../../contract/deploy-key.ts';
import type { HookEvent } from '../../contract/hook-binding.ts';
import type { KeyRotation } from '../../contract/key-rotation.ts';
import type { Project } from '../../contract/project.ts';
import type { BuildParameters } from '../../contract/provenance.ts';
import type { DsseEnvelope, ReceiptKind, RevocationStep } from '../../contract/receipt.ts';
import type { Obstacle, Revocation } from '../../contract/revocation.ts';
import type { Role } from '../../contract/role.ts';
import type { Scope } from '../../contract/token.ts';
import type { VmExit, VmReport } from '../../contract/vm.ts';
import type { GithubAccount } from '../people/github/github-account.ts';
import type { WebhookEvent } from '../source-hosts/webhook-event.ts';

/** What an API key is: one that somebody holds, or what stands for a workload or a member and is ended as keys are. */
export type ApiKeyKind = 'key' | 'workload' | 'member';

/** The tables as Kysely sees them; what each column means stands in the migrations. */
export interface Schema {
  team: {
    id: string;
    name: string;
    created_at: Date;
    revoking_at: Generated<Date | null>;
    revoked_at: Generated<Date | null>;
    weight: Generated<number>;
    build_limit: Generated<number | null>;
    paused_by_operator: Generated<string | null>;
    paused_by_team: Generated<string | null>;
    limit_by_team: Generated<number | null>;
    deletion_protection: Generated<boolean>;
    share_version: Generated<number>;
  };
  fleet: {
    one: Generated<boolean>;
    build_limit: number | null;
    drained: Generated<boolean>;
    share_version: Generated<number>;
  };
  api_key: {
    id: string;
    team_id: string;
    name: string;
    secret_hash: Uint8Array;
    scopes: Scope[];
    created_at: Date;
    revoked_at: Date | null;
    reads_only: Generated<string | null>;
    ends_at: Generated<Date | null>;
    kind: Generated<ApiKeyKind>;
    project_id: Generated<string | null>;
    created_by: Generated<string | null>;
    last_used_at: Generated<Date | null>;
  };
  workload_identity: {
    id: string;
    api_key_id: string;
    team_id: string;
    name: string;
    project_id: string | null;
    issuer: string;
    audience: string;
    claims: Record<string, string>;
    version: Generated<number>;
    created_at: Date;
  };
  connection: {
    id: string;
    team_id: string;
    name: string;
    kind: Connection['kind'];
    url: string | null;
    app_id: string | null;
    installation_id: string | null;
    ssh_host_keys: string[] | null;
    host_keys: string[];
    sealed_credential: string | null;
    ssh_address: Generated<string | null>;
    checked_at: Generated<Date | null>;
    version: Generated<number>;
    created_at: Date;
    revoking_at: Generated<Date | null>;
    deleted_at: Date | null;
  };
  project: ProjectTable;
  deploy_key: {
    id: string;
    project_id: string;
    public_key: string;
    fingerprint: string;
    sealed_private_key: string;
    source_host_id: string | null;
    rotate_when: Record<string, string> | null;
    made_by: DeployKey['made_by'];
    version: Generated<number>;
    created_at: Date;
    looked_at: Generated<Date | null>;
    revoked_at_source_host_at: Generated<Date | null>;
    remove_again_at: Generated<Date | null>;
  };
  retired_deploy_key: {
    id: string;
    project_id: string;
    fingerprint: string;
    public_key: string;
    source_host_id: string | null;
    retired_at: Date;
  };
  addition: { id: string; project_id: string; ends_at: Date };
  retired_hook: {
    id: string;
    project_id: string;
    source_host_id: string | null;
    retired_at: Date;
  };
  hook_binding: {
    id: string;
    project_id: string;
    branches: string[];
    tags: string[];
    events: HookEvent[];
    repository_id: string | null;
    reconciled_at: Generated<Date | null>;
    compared_since: Generated<Date | null>;
    log_read_to: Generated<Date | null>;
    source_host_id: string | null;
    version: Generated<number>;
    created_at: Date;
    looked_at: Generated<Date | null>;
    revoked_at_source_host_at: Generated<Date | null>;
    remove_again_at: Generated<Date | null>;
  };
  secret: {
    id: string;
    project_id: string;
    name: string;
    phases: Phase[];
    sealed_value: string;
    version: Generated<number>;
    created_at: Date;
  };
  build: BuildTable;
  vm_use: {
    vm: string;
    build_id: string;
    attempt: number;
    at: Date;
    gone_at: Generated<Date | null>;
    left_at: Generated<Date | null>;
  };
  build_log: { build_id: string; position: number; data: Uint8Array };
  custody_event: { build_id: string; attempt: number; number: number };
  webhook_delivery: {
    hook_binding_id: string;
    delivery: string;
    received_at: Date;
    build_id: string | null;
    /** Null for what was received before bodies were remembered. */
    body_digest: Buffer | null;
    event_name: string;
    ref: string | null;
    commit: string | null;
    event: WebhookEvent | null;
    processed_at: Date | null;
    reason: string | null;
    /** A bigint, which drivers give as text. */
    position: Generated<string>;
  };
  branch_head: {
    hook_binding_id: string;
    branch: string;
    commit: string;
    asked: boolean;
    at: Date | null;
    position: string;
  };
  audit_event: {
    id: string;
    team_id: string;
    at: Date;
    action: string;
    actor: string;
    subject: string;
    detail: Record<string, unknown>;
    seq: number;
    previous: string;
    hash: string;
    key_id: string;
    signature: string;
  };
  audit_head: { team_id: string; seq: number; hash: string; at: Date };
  access_grant: {
    id: string;
    team_id: string;
    project_id: string | null;
    reason: string;
    scope: GrantScope[];
    notify: string[];
    ends_at: Date;
    created_at: Date;
    created_by: string;
    ended_at: Date | null;
    deleted_at: Date | null;
  };
  mail: {
    id: string;
    team_id: string | null;
    recipient: string;
    subject: string;
    body: string;
    created_at: Date;
    due_at: Date;
    attempts: Generated<number>;
    sent_at: Generated<Date | null>;
    given_up_at: Generated<Date | null>;
    sealed_link: Generated<Uint8Array | null>;
    expires_at: Generated<Date | null>;
  };
  person: { id: string; email: string | null; created_at: Date; deleted_at: Generated<Date | null> };
  sign_in: {
    id: string;
    email: string;
    browser_hash: Uint8Array;
    token_hash: Uint8Array | null;
    created_at: Date;
    expires_at: Date;
    answered_at: Date | null;
    github: Generated<GithubAccount | null>;
  };
  github_account: {
    person_id: string;
    site: string;
    github_id: string;
    login: string;
    connected_at: Date;
  };
  github_attempt: {
    id: string;
    state_hash: Uint8Array;
    browser_hash: Uint8Array;
    site: string;
    session_id: string | null;
    expires_at: Date;
  };
  address_change: {
    id: string;
    person_id: string;
    email: string;
    old_hash: Uint8Array;
    new_hash: Uint8Array;
    old_confirmed: Generated<boolean>;
    new_confirmed: Generated<boolean>;
    expires_at: Date;
  };
  team_member: {
    id: string;
    team_id: string;
    person_id: string;
    role: Role;
    created_at: Date;
    ended_at: Generated<Date | null>;
  };
  invitation: {
    id: string;
    team_id: string;
    email: string;
    role: Role;
    token_hash: Uint8Array;
    created_at: Date;
    created_by: string;
    expires_at: Date;
    accepted_at: Date | null;
    revoked_at: Date | null;
  };
  session: { id: string; person_id: string; token_hash: Uint8Array; created_at: Date; seen_at: Date };
  revocation: {
    id: string;
    kind: Revocation['kind'];
    subject: string;
    name: string;
    team_id: string;
    parent_id: string | null;
    requested_by: string;
    steps: RevocationStep[];
    under_way: { began_at: string; by: string } | null;
    obstacle: Obstacle | null;
    stated: { by: string; at: string } | null;
    attempts: Generated<number>;
    next_try_at: Generated<Date>;
    started_at: Date;
    finished_at: Date | null;
    receipt_id: string | null;
  };
  receipt: {
    id: string;
    team_id: string;
    project_id: string | null;
    kind: ReceiptKind;
    subject: string;
    envelope: DsseEnvelope;
    created_at: Date;
  };
  key_encryption_rotation: {
    id: string;
    wrapping_key: string;
    team_ids: string[];
    began_at: Date;
    finished_at: Date | null;
  };
  key_rotation: {
    id: string;
    project_id: string;
    state: KeyRotation['state'];
    reason: string | null;
    requested_at: Date;
    finished_at: Date | null;
  };
  key_release: { project_id: string; digest: string };
  token_key: {
    kid: string;
    x: string;
    sealed_private_key: Uint8Array | null;
    published_at: Date;
    signs_from: Date;
    signs_until: Date | null;
  };
  token_end: { id: string; ends_at: Date; forget_at: Date };
  idempotency_key: {
    api_key_id: string;
    key: string;
    request_hash: string;
    status: number | null;
    body: unknown;
    created_at: Date;
  };
}

type Declared = Omit<Project, 'team' | 'created_at' | 'cancel_intermediate_builds'>;

interface ProjectTable extends Declared {
  team_id: string;
  repository_id: Generated<string | null>;
  build_count: Generated<number>;
  cancel_intermediate_builds: Generated<Project['cancel_intermediate_builds']>;
  version: Generated<number>;
  public_key: JsonWebKey;
  wrapped_private_key: string | null;
  wrapped_log_key: Generated<Uint8Array | null>;
  logs_destroyed_at: Generated<Date | null>;
  logs_erased_at: Generated<Date | null>;
  created_at: Date;
  revoking_at: Date | null;
  revoked_at: Date | null;
}

type MilestoneColumns = Record<`${Milestone}_at`, Generated<Date | null>>;

interface BuildTable extends MilestoneColumns {
  id: string;
  project_id: string;
  team_id: string;
  number: number;
  state: BuildState;
  reason: Generated<string | null>;
  trigger: Trigger;
  ref: string;
  branch: string;
  pull_request: Generated<number | null>;
  pull_request_at: Generated<Date | null>;
  from_fork: Generated<boolean>;
  access_grant_id: Generated<string | null>;
  support_commands: Generated<string[] | null>;
  status_version: Generated<number>;
  status_reported: Generated<number>;
  status_failures: Generated<number>;
  status_retry_at: Generated<Date | null>;
  commit: string;
  message: string;
  priority: Generated<number>;
  attempt: Generated<number>;
  losses: Generated<string[]>;
  phase: Generated<'checkout' | Phase | null>;
  deploy_started: Generated<boolean>;
  failed_command: Generated<string | null>;
  exit_code: Generated<number | null>;
  lease_holder: Generated<string | null>;
  /** Nobody else may have the build before, whatever Redis says. */
  held_until: Generated<Date | null>;
  /** Of how many runners that were lost with it another one took it over. */
  takeovers: Generated<number>;
  /** Every name under which the build was claimed. */
  spent_leases: Generated<string[]>;
  vm: Generated<string | null>;
  vm_handle: Generated<string | null>;
  given_digest: Generated<string | null>;
  log_cursor: Generated<string | null>;
  proof: Generated<unknown>;
  parameters: Generated<BuildParameters | null>;
  vm_report: Generated<VmReport | null>;
  vm_exit: Generated<VmExit | null>;
  cancel_requested: Generated<boolean>;
  log_size: Generated<number>;
  receipt_retry_at: Generated<Date | null>;
  queued_at: Date;
  started_at: Generated<Date | null>;
  finished_at: Generated<Date | null>;
}
