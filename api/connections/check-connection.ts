import ssh2 from 'ssh2';
import type { Connection } from '../../contract/connection.ts';
import { isLoopback } from '../../contract/transport-security.ts';
import { invalidField } from '../http/problem-error.ts';

/** A connection as it is to become; `undefined` is what was not given. */
export interface DeclaredConnection {
  kind: Connection['kind'];
  url: string | undefined;
  ssh_address: string | undefined;
  app_id: string | undefined;
  installation_id: string | undefined;
  ssh_host_keys: string[] | undefined;
  /** Which credentials there are, new or kept. */
  token: boolean;
  private_key: boolean;
}

type Field = Exclude<keyof DeclaredConnection, 'kind'>;

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

/** Throws 422 at the first attribute that the kind of host needs or cannot use. */
export function checkConnection(declared: DeclaredConnection): void {
  const { kind, url, ssh_host_keys: keys = [] } = declared;
  const { needs = [], oneOf = [], may } = rules[kind];
  const isGiven = (field: Field) => declared[field] !== undefined && declared[field] !== false;
  for (const field of needs) {
    if (!isGiven(field))
      throw invalidField(field, `${field} is missing. A connection of kind ${kind} needs it.`);
  }
  const ways = oneOf.filter((way) => way.some(isGiven));
  if (oneOf.length > 0) checkWays(kind, oneOf, ways, isGiven);
  const known = [...needs, ...oneOf.flat(), ...may];
  for (const field of [
    'url',
    'ssh_address',
    'app_id',
    'installation_id',
    'ssh_host_keys',
    'token',
    'private_key',
  ] as const) {
    if (isGiven(field) && !known.includes(field)) {
      throw invalidField(field, `${field} has no meaning for a connection of kind ${kind}. Remove it.`);
    }
  }
  if (url?.startsWith('http:') && !isLoopback(new URL(url).hostname)) {
    throw invalidField('url', 'url is http, where others can listen in. Use https.');
  }
  for (const [index, key] of keys.entries()) checkHostKey(key, index);
}

function checkWays(
  kind: string,
  oneOf: Field[][],
  ways: Field[][],
  isGiven: (field: Field) => boolean,
): void {
  const words = oneOf.map((way) => way.join(', ')).join('; or ');
  const [first = 'token'] = oneOf[0] ?? [];
  if (ways.length === 0)
    throw invalidField(first, `A connection of kind ${kind} needs a credential: ${words}.`);
  if (ways.length > 1) throw invalidField(first, `Two credentials are given. Keep one: ${words}.`);
  for (const field of ways[0] ?? []) {
    if (!isGiven(field))
      throw invalidField(field, `${field} is missing. Give ${(ways[0] ?? []).join(', ')} together.`);
  }
}

function checkHostKey(line: string, index: number): void {
  const parsed = ssh2.utils.parseKey(line);
  const isPublic = /^(ssh|ecdsa|sk)-\S+ [A-Za-z0-9+/=]+( .*)?$/.test(line);
  if (parsed instanceof Error || !isPublic) {
    throw invalidField(
      `ssh_host_keys/${index}`,
      'This is no SSH host key in OpenSSH format. Give a line such as "ssh-ed25519 AAAA…", from the host\'s own documentation.',
    );
  }
}
