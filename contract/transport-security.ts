/** Whether only this machine can talk to this host name, so that TLS would protect nothing. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || host === '::1' || /^127\./.test(host);
}

/** What is wrong with a process's way to Redis, for people; empty when nothing is. */
export function redisProblems(url: string): string[] {
  const { protocol, hostname } = new URL(url);
  if (protocol === 'rediss:' || isLoopback(hostname)) return [];
  return [`EBB_REDIS_URL goes to ${hostname} without TLS. Use rediss://.`];
}

/** What is wrong with a process's way to PostgreSQL. */
export function postgresProblems(url: string | undefined): string[] {
  if (url === undefined) return [];
  const { hostname, searchParams } = new URL(url);
  if (hostname === '' || isLoopback(hostname) || searchParams.get('sslmode') === 'verify-full') return [];
  return [`EBB_DATABASE_URL goes to ${hostname} without a verified certificate. Add sslmode=verify-full.`];
}

/** What is wrong with a runner's way to the API: its token and the sealed keys pass there. */
export function apiProblems(url: string): string[] {
  const { protocol, hostname } = new URL(url);
  if (protocol === 'https:' || isLoopback(hostname)) return [];
  return [`EBB_API_URL goes to ${hostname} without TLS. Use https://.`];
}
