import ssh2 from 'ssh2';
import { connectionProblems, type DeclaredConnection } from '../../contract/connection-rules.ts';
import { invalidField } from '../http/problem-error.ts';

/** Throws 422 at the first attribute that the kind of host needs or cannot use. */
export function checkConnection(declared: DeclaredConnection): void {
  const [problem] = connectionProblems(declared);
  if (problem) throw invalidField(problem.field, problem.detail);
  for (const [index, key] of (declared.ssh_host_keys ?? []).entries()) checkHostKey(key, index);
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
