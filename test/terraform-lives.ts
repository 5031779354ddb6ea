import type { GithubStandIn } from '../api/source-hosts/github/github-for-tests.ts';

/** What one resource, `TYPE.it`, goes through in its life. Configurations hold what it needs besides. */
export interface Life {
  type: string;
  made: string;
  /** What the API has of it then; the same for `changed`. */
  madeAtApi: object;
  /** Reached in place. */
  changed: string;
  changedAtApi: object;
  /** Attributes that the change makes new. */
  renewed?: string[];
  importId(state: Record<string, unknown>): string;
  /** A change that somebody makes without Terraform, as a merge patch. */
  drift: object;
  /** Reached by another one only. */
  replaced: string;
}

const team = 'default';

const connection = `
resource "ebb_connection" "local" {
  name = "local"
  kind = "local"
}
`;
const projects = `${connection}
resource "ebb_project" "shop" {
  connection_id = ebb_connection.local.id
  name          = "shop"
  repository    = "shop"
}
resource "ebb_project" "store" {
  connection_id = ebb_connection.local.id
  name          = "store"
  repository    = "store"
}
`;
const inHours = (hours: number) =>
  new Date(Date.now() + hours * 3_600_000).toISOString().replace(/\.\d+Z$/, 'Z');
const [tonight, tomorrow] = [inHours(6), inHours(30)] as const;

const block = (type: string, lines: string) => `resource "${type}" "it" {\n${lines}\n}\n`;

/** Every resource that a team can declare, but for the team itself; connections at GitHub, the rest at the built-in source host. */
export function lives({ url, sshAddress, hostKeys, token }: GithubStandIn): Life[] {
  const github = (name: string, version: number, more = '') =>
    block(
      'ebb_connection',
      `  name = "${name}"\n  kind = "github"\n  url = "${url}"\n  token_wo = "${token.value}"
  token_wo_version = ${version}\n  ssh_address = "${sshAddress}"\n${more}`,
    );
  const pinned = `  ssh_host_keys = ${JSON.stringify(hostKeys)}`;
  const project = (name: string, lines: string) =>
    connection +
    block(
      'ebb_project',
      `  connection_id = ebb_connection.local.id\n  name = "${name}"\n  repository = "${name}"\n${lines}`,
    );
  const ofProject = (type: string, name: string, lines: string) =>
    projects + block(type, `  project_id = ebb_project.${name}.id\n${lines}`);
  const secret = (name: string, version: number, phases: string) =>
    ofProject(
      'ebb_secret',
      'shop',
      `  name = "${name}"\n  value_wo = "of ${version}"\n  value_wo_version = ${version}\n  phases = ${phases}`,
    );
  const grant = (reason: string, end: string) =>
    ofProject(
      'ebb_access_grant',
      'shop',
      `  reason = "${reason}"\n  scope = ["logs"]\n  notify = ["ada@example.com"]\n  ends_at = "${end}"`,
    );

  const workload = (name: string, claims: string, scopes: string) =>
    block(
      'ebb_workload_identity',
      `  name = "${name}"\n  issuer = "https://token.actions.githubusercontent.com"\n  audience = "ebb"
  claims = ${claims}\n  scopes = ${scopes}`,
    );

  const member = (email: string, role: string) =>
    block('ebb_team_member', `  email = "${email}"\n  role = "${role}"`);

  return [
    {
      type: 'ebb_connection',
      made: github('github', 1),
      madeAtApi: { name: 'github', kind: 'github', ssh_address: sshAddress, team },
      changed: github('github', 2, pinned),
      changedAtApi: { ssh_host_keys: hostKeys, host_keys: hostKeys },
      importId: () => `${team}/github`,
      drift: { ssh_host_keys: null },
      replaced: github('another', 2, pinned),
    },
    {
      type: 'ebb_project',
      made: project('shop', '  test = ["make"]\n  environment = { A = "1", B = "2" }'),
      madeAtApi: { test: ['make'], environment: { A: '1', B: '2' }, timeout_minutes: 60 },
      changed: project(
        'shop',
        '  environment = { A = "1" }\n  deploy = [{ branch = "main", commands = ["./deploy.sh"] }]',
      ),
      changedAtApi: {
        ...{ test: [], environment: { A: '1' } },
        deploy: [{ branch: 'main', commands: ['./deploy.sh'] }],
      },
      importId: () => `${team}/shop`,
      drift: { timeout_minutes: 90, environment: { A: '1', C: '3' } },
      replaced: project('store', '  environment = { A = "1" }'),
    },
    {
      type: 'ebb_deploy_key',
      made: ofProject('ebb_deploy_key', 'shop', ''),
      madeAtApi: { state: 'active', made_by: 'ebb' },
      changed: ofProject('ebb_deploy_key', 'shop', '  rotate_when = { month = "2026-12" }'),
      changedAtApi: { rotate_when: { month: '2026-12' }, state: 'active' },
      renewed: ['public_key', 'fingerprint', 'source_host_id'],
      importId: () => `${team}/shop`,
      drift: { rotate_when: { month: 'by hand' } },
      replaced: ofProject('ebb_deploy_key', 'store', ''),
    },
    {
      type: 'ebb_hook_binding',
      made: ofProject('ebb_hook_binding', 'shop', ''),
      madeAtApi: { branches: ['**'], tags: [], state: 'active' },
      changed: ofProject('ebb_hook_binding', 'shop', '  branches = ["main", "release/*"]\n  tags = ["v*"]'),
      changedAtApi: { branches: ['main', 'release/*'], tags: ['v*'] },
      importId: () => `${team}/shop`,
      drift: { branches: ['main'] },
      replaced: ofProject('ebb_hook_binding', 'store', ''),
    },
    {
      type: 'ebb_secret',
      made: secret('TOKEN', 1, '["test"]'),
      madeAtApi: { name: 'TOKEN', phases: ['test'] },
      changed: secret('TOKEN', 2, '["deploy", "test"]'),
      changedAtApi: { phases: ['deploy', 'test'] },
      importId: () => `${team}/shop/TOKEN`,
      drift: { phases: ['setup'] },
      replaced: secret('OTHER', 2, '["test"]'),
    },
    {
      type: 'ebb_access_grant',
      made: grant('A build hangs.', tonight),
      madeAtApi: { ends_at: tonight, ended_at: null, notify: ['ada@example.com'] },
      changed: grant('A build hangs.', tomorrow),
      changedAtApi: { ends_at: tomorrow, ended_at: null },
      importId: ({ id }) => `${team}/${id}`,
      drift: { ends_at: tonight },
      replaced: grant('Another one hangs.', tomorrow),
    },
    {
      type: 'ebb_workload_identity',
      made: workload('ci', '{ sub = "repo:acme/shop:*" }', '["builds:write"]'),
      madeAtApi: { claims: { sub: 'repo:acme/shop:*' }, scopes: ['builds:write'], audience: 'ebb' },
      changed: workload('ci', '{ sub = "repo:acme/shop:ref:refs/heads/main" }', '["builds:read"]'),
      changedAtApi: { claims: { sub: 'repo:acme/shop:ref:refs/heads/main' }, scopes: ['builds:read'] },
      importId: () => `${team}/ci`,
      drift: { audience: 'somebody-else', claims: { sub: 'repo:evil/*' } },
      replaced: workload('cd', '{ sub = "repo:acme/shop:*" }', '["builds:read"]'),
    },
    {
      type: 'ebb_team_member',
      made: member('ada@example.com', 'viewer'),
      madeAtApi: { email: 'ada@example.com', role: 'viewer', status: 'invited', team },
      changed: member('ada@example.com', 'maintainer'),
      changedAtApi: { role: 'maintainer', status: 'invited' },
      renewed: ['expires_at'],
      importId: () => `${team}/ada@example.com`,
      drift: { role: 'owner' },
      replaced: member('grace@example.com', 'maintainer'),
    },
  ];
}
