import type { JsonWebKey } from 'node:crypto';
import type { Generated } from 'kysely';
import type { BuildState, Milestone, Phase } from '../../contract/build.ts';
import type { Connection } from '../../contract/connection.ts';
import type { Project } from '../../contract/project.ts';
import type { DsseEnvelope, RevocationStep } from '../../contract/receipt.ts';
import type { Scope } from '../../contract/token.ts';

/** The tables as Kysely sees them; what each column means stands in the migrations. */
export interface Schema {
  team: { id: string; name: string; created_at: Date };
  api_key: {
    id: string;
    team_id: string;
    name: string;
    secret_hash: Uint8Array;
    scopes: Scope[];
    created_at: Date;
    revoked_at: Date | null;
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
    version: Generated<number>;
    created_at: Date;
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
    created_at: Date;
  };
  hook_binding: {
    id: string;
    project_id: string;
    branches: string[];
    source_host_id: string | null;
    version: Generated<number>;
    created_at: Date;
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
  build_log: { build_id: string; position: number; data: Uint8Array };
  webhook_delivery: {
    hook_binding_id: string;
    delivery: string;
    received_at: Date;
    build_id: string | null;
    /** Null for what was received before bodies were remembered. */
    body_digest: Buffer | null;
  };
  revocation: {
    project_id: string;
    steps: RevocationStep[];
    started_at: Date;
    finished_at: Date | null;
    receipt_id: string | null;
  };
  receipt: {
    id: string;
    team_id: string;
    project_id: string;
    kind: 'revocation' | 'build';
    subject: string;
    envelope: DsseEnvelope;
    created_at: Date;
  };
  idempotency_key: {
    api_key_id: string;
    key: string;
    request_hash: string;
    status: number | null;
    body: unknown;
    created_at: Date;
  };
}

type Declared = Omit<Project, 'team' | 'created_at'>;

interface ProjectTable extends Declared {
  team_id: string;
  build_count: Generated<number>;
  version: Generated<number>;
  public_key: JsonWebKey;
  wrapped_private_key: string | null;
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
  trigger: 'push' | 'api';
  branch: string;
  commit: string;
  message: string;
  attempt: Generated<number>;
  phase: Generated<'checkout' | Phase | null>;
  deploy_started: Generated<boolean>;
  failed_command: Generated<string | null>;
  exit_code: Generated<number | null>;
  lease_holder: Generated<string | null>;
  vm: Generated<string | null>;
  proof: Generated<unknown>;
  cancel_requested: Generated<boolean>;
  log_size: Generated<number>;
  queued_at: Date;
  started_at: Generated<Date | null>;
  finished_at: Generated<Date | null>;
}
