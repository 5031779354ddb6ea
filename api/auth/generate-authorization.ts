import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { roles, scopesOfRole } from '../../contract/role.ts';
import { authorization } from './authorization.ts';
import type { Rule } from './rule.ts';

/** The table of `authorization.ts` with what follows from it for each role, as it stands in the repository. */
export const authorizationPath = join(import.meta.dirname, '..', '..', 'docs', 'authorization.md');

const head = `# Authorization

Who may call which route. Made by \`node api/auth/generate-authorization.ts\` from \`api/auth/authorization.ts\`, which puts
the check before each route, and from the roles of \`contract/role.ts\`. \`api/auth/authorization.test.ts\` asks
every route as everybody who may not.

- A team's things are 404 for every other team, as if they did not exist.
- A scope is one of an API key, of a token made from it, or of the role of a member. A token never has more than its key.
- *projects:write* holds *projects:revoke*, *builds:write* holds *builds:create* and *builds:cancel*. For one action on one project,
  ask for a token with *project_id* and that scope alone.
- *Token of one project* says what a token that is limited to a project reaches: what is of its own project, nothing
  (403), or all that the scope shows in the team.
- Nobody gives a role, or a key, with a scope that he lacks. \`owners:write\` is beside \`members:write\` what it takes to make an
  owner, to change an owner's role, and to remove one; who owns a team has it, and a key where its maker said so.
- *While revoked*: the one key that is left of a team that is being revoked still opens it.
- Operators have scopes that no team can have, and a team's scopes open nothing of another team to them.
`;

/** The whole document, in Markdown. */
export function authorizationText(): string {
  const parts = Object.entries(authorization).map(([concept, routes]) => {
    const rows = Object.entries(routes).map(([route, rule]) => row(`\`${route}\``, ...cellsOf(rule)));
    return [`## ${concept}`, '', ...tableHead, ...rows].join('\n');
  });
  return `${[head.trimEnd(), ...parts].join('\n\n')}\n`;
}

const columns = ['route', 'who', ...roles, 'token of one project', 'while revoked'];
const row = (...cells: string[]) => `| ${cells.join(' | ')} |`;
const tableHead = [row(...columns), row(...columns.map(() => '---'))];

function cellsOf(rule: Rule): string[] {
  if (rule.who === 'operators') return [`operators, \`${rule.scope}\``, ...Array(5).fill('')];
  if (rule.who !== 'team') return [rule.who, ...Array(5).fill('')];
  const { scope, onOthers = scope } = rule;
  const mayRole = roles.map((role) => {
    if (!scopesOfRole[role].includes(scope)) return 'no';
    return scopesOfRole[role].includes(onOthers) ? 'yes' : 'oneself';
  });
  const others = onOthers === scope ? '' : `; \`${onOthers}\` for others`;
  return [`team, \`${scope}\`${others}`, ...mayRole, rule.projectTokens, rule.whileRevoked ? 'yes' : ''];
}

if (import.meta.main) await writeFile(authorizationPath, authorizationText());
