import { isIPv4 } from 'node:net';

/** Whether only this machine can talk to this host name, so that TLS would protect nothing. */
export function isLoopback(host: string): boolean {
  return ['localhost', '[::1]', '::1'].includes(host) || (isIPv4(host) && host.startsWith('127.'));
}

/** Whether an address leads elsewhere than to this machine without TLS. */
export function isPlainHttp(url: string | undefined): boolean {
  if (url === undefined || !URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  return protocol === 'http:' && !isLoopback(hostname);
}

/** What is wrong with a process's way to Redis, for people; empty when nothing is. */
export function redisProblems(url: string): string[] {
  const { protocol, hostname } = new URL(url);
  if (protocol === 'rediss:' || isLoopback(hostname)) return [];
  return [`EBB_REDIS_URL goes to ${hostname} without TLS. Use rediss://.`];
}

/**
 * What is wrong with a process's way to PostgreSQL. Elsewhere than on this machine the certificate is verified always,
 * so a URL must not ask for less.
 */
export function postgresProblems(url: string | undefined): string[] {
  if (url === undefined) return [];
  const { searchParams } = new URL(url);
  const unread = ['ssl', 'sslcert', 'sslkey', 'sslrootcert', 'uselibpqcompat'].filter((name) =>
    searchParams.has(name),
  );
  const mode = searchParams.get('sslmode');
  return [
    ...unread.map(
      (name) =>
        `EBB_DATABASE_URL has ${name}=, which is not read. Remove it; EBB_DATABASE_CA says which certificates to trust.`,
    ),
    ...(mode !== null && mode !== 'verify-full' && !isLocalDatabase(url)
      ? [
          `EBB_DATABASE_URL asks for sslmode=${mode}, which leaves the certificate unverified. Remove it or write sslmode=verify-full.`,
        ]
      : []),
  ];
}

/** Whether PostgreSQL is spoken to with TLS: always elsewhere, on this machine when the URL or a given CA asks for it. */
export function postgresNeedsTls(url: string, hasCertificateAuthority: boolean): boolean {
  const mode = new URL(url).searchParams.get('sslmode') ?? 'disable';
  return !isLocalDatabase(url) || hasCertificateAuthority || mode !== 'disable';
}

/** The parameter `host` wins over the URL's own, and may be the folder of a socket. */
function isLocalDatabase(url: string): boolean {
  const { hostname, searchParams } = new URL(url);
  const host = searchParams.get('host') || decodeURIComponent(hostname);
  return host === '' || host.startsWith('/') || isLoopback(host);
}

/** What is wrong with a process's way to the API, where its key or token passes. `name` is the variable of the address. */
export function apiProblems(name: string, url: string): string[] {
  const { protocol, hostname } = new URL(url);
  if (protocol === 'https:' || isLoopback(hostname)) return [];
  return [`${name} goes to ${hostname} without TLS. Use https://.`];
}
