import { execFile } from 'node:child_process';
import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];

/** A server's certificate: files in PEM, and what its clients trust. */
export interface ServerCertificate {
  certificateFile: string;
  keyFile: string;
  /** The authority's certificate, PEM. */
  authority: string;
}

/** Makes a certificate authority and a certificate that it signed for one host name, in files of a folder. */
export async function createCertificate(folder: string, hostName: string): Promise<ServerCertificate> {
  const path = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => run('openssl', args, { timeout: 30_000 });
  const authority = ['-keyout', path('ca.key'), '-out', path('ca.pem'), '-subj', '/CN=Ebb test authority'];
  await openssl('req', '-x509', ...newKey, ...authority);
  const issuer = ['-CA', path('ca.pem'), '-CAkey', path('ca.key')];
  const server = ['-keyout', path('server.key'), '-out', path('server.pem'), '-subj', `/CN=${hostName}`];
  const extensions = ['subjectAltName=DNS:'.concat(hostName), 'basicConstraints=CA:FALSE'];
  await openssl(
    'req',
    '-x509',
    ...newKey,
    ...issuer,
    ...server,
    ...extensions.flatMap((extension) => ['-addext', extension]),
  );
  await chmod(path('server.key'), 0o600);
  return {
    certificateFile: path('server.pem'),
    keyFile: path('server.key'),
    authority: await readFile(path('ca.pem'), 'utf8'),
  };
}
