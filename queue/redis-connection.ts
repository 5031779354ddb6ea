import { Redis } from 'ioredis';
import { UnreachableError } from '../contract/unreachable-error.ts';
import { verifiedTls } from '../contract/verified-tls.ts';

export interface RedisLocation {
  /** `redis://` on this machine, `rediss://` (TLS, certificate verified) anywhere else. */
  url: string;
  /** Certificate authority or the server's own certificate to trust, PEM, when it is not from a public authority. */
  ca?: string;
}

/**
 * Opens a connection and waits until Redis answers. Commands fail after 5 s rather than wait for ever; `impatient` ones
 * after a quarter of a second, and at once while there is no connection. Throws UnreachableError, also when the certificate is not to be trusted.
 */
export async function connectRedis(
  location: RedisLocation,
  { impatient = false }: { impatient?: boolean } = {},
): Promise<Redis> {
  const redis = new Redis(location.url, {
    lazyConnect: true,
    enableAutoPipelining: true,
    connectTimeout: 5_000,
    commandTimeout: impatient ? 250 : 5_000,
    maxRetriesPerRequest: 3,
    retryStrategy: (attempt) => Math.min(50 * 2 ** attempt, 2_000),
    ...(location.url.startsWith('rediss:') ? { tls: verifiedTls(location.ca) } : {}),
  });
  redis.options.enableOfflineQueue = !impatient;
  let reason: Error | undefined;
  redis.on('error', (error: Error) => {
    reason = error;
  });
  try {
    await redis.connect();
    await redis.ping();
  } catch (error) {
    redis.disconnect();
    const { hostname, port } = new URL(location.url);
    throw new UnreachableError(
      'Redis',
      `${hostname}:${port || 6379}`,
      location.url.startsWith('rediss:') ? 'EBB_REDIS_URL and EBB_REDIS_CA' : 'EBB_REDIS_URL',
      reason ?? (error as Error),
    );
  }
  return redis;
}
