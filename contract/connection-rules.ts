import type { Connection } from './connection.ts';
import { isLoopback } from './transport-security.ts';

/** A connection as it is to become; `undefined` is what was not given. */
export interface DeclaredConnection {
  kind: Connection['kind'];
  url: string | undefined;
  ssh_address: string | undefined;
  app_id: string | undefined;
  installation_id: string | undefined;
  ssh_host_keys: readonly string[] | undefined;
  /** Which credentials there are, new or kept. */
  token: boolean;
  private_key: boolean;
}

type Field = Exclude<keyof DeclaredConnection, 'kind'>;
const fields: readonly Field[] = [
  'url',
  'ssh_address',
  'app_id',
  'installation_id',
  'ssh_host_keys',
  'token',
  'private_key',
];

// What each kind must and may be told; where there are two ways in, exactly one must be complete.
const rules: Record<Connection['kind'], { needs?: Field[]; oneOf?: Field[][]; may: Field[] }> = {
  local: { may: [] },
  github: {
    oneOf: [['token'], ['app_id', 'installation_id', 'private_key']],
    may: ['url', 'ssh_address', 'ssh_host_keys'],
  },
  gitlab: { needs: ['token', 'ssh_host_keys'], may: ['url', 'ssh_address'] },
  gitea: { needs: ['url', 'token', 'ssh_host_keys'], may: ['ssh_address'] },
};

/** What the kind of host needs, or cannot use; `name` says what a field is called where it was declared. */
export function connectionProblems(
  declared: DeclaredConnection,
  name: (field: string) => string = (field) => field,
): { field: string; detail: string }[] {
  const { kind, url } = declared;
  const { needs = [], oneOf = [], may } = rules[kind];
  const isGiven = (field: Field) => declared[field] !== undefined && declared[field] !== false;
  const known = [...needs, ...oneOf.flat(), ...may];
  const problem = (field: Field, detail: string) => ({ field, detail });
  const missing = needs.filter((field) => !isGiven(field));
  const useless = fields.filter((field) => isGiven(field) && !known.includes(field));
  const isOpen = url?.startsWith('http:') && URL.canParse(url) && !isLoopback(new URL(url).hostname);
  return [
    ...missing.map((field) =>
      problem(field, `${name(field)} is missing. A connection of kind ${kind} needs it.`),
    ),
    ...wayProblems(kind, oneOf, isGiven, name),
    ...useless.map((field) =>
      problem(field, `${name(field)} has no meaning for a connection of kind ${kind}. Remove it.`),
    ),
    ...(isOpen ? [problem('url', 'url is http, where others can listen in. Use https.')] : []),
  ];
}

function wayProblems(
  kind: string,
  oneOf: Field[][],
  isGiven: (field: Field) => boolean,
  name: (field: string) => string,
): { field: string; detail: string }[] {
  const [first] = oneOf;
  if (!first?.[0]) return [];
  const ways = oneOf.filter((way) => way.some(isGiven));
  const words = oneOf.map((way) => way.map(name).join(', ')).join('; or ');
  if (ways.length === 0) {
    return [{ field: first[0], detail: `A connection of kind ${kind} needs a credential: ${words}.` }];
  }
  if (ways.length > 1) {
    return [{ field: first[0], detail: `Two credentials are given. Keep one: ${words}.` }];
  }
  const way = ways[0] ?? [];
  const missing = way.filter((field) => !isGiven(field));
  const together = way.map(name).join(', ');
  return missing.map((field) => ({
    field,
    detail: `${name(field)} is missing. Give ${together} together.`,
  }));
}
