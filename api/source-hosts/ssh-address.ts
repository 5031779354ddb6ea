import type { HostAccess } from './source-hosts.ts';

/** Where a host serves Git over SSH: as declared, else port 22 of the site. `site` is the public one. */
export function sshAddress(
  { url, sshAddress: declared }: Pick<HostAccess, 'url' | 'sshAddress'>,
  site: string,
): { host: string; port: number } {
  const { hostname, port } = new URL(declared === undefined ? (url ?? site) : `ssh://${declared}`);
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: declared !== undefined && port !== '' ? Number(port) : 22,
  };
}
