import { Redis } from 'ioredis';

export interface RedisLocation {
  /** `redis://` on this machine, `rediss://` (TLS, certificate verified) anywhere else. */
  url: string;
  /** Certificate authority to trust, PEM, when it is not a public one. */
  ca?: string;
}

/** Opens a connection and waits until Redis answers. Commands fail after 5 s rather than wait for ever. */
export async function connectRedis(location: RedisLocation): Promise<Redis> {
  const redis = new Redis(location.url, {
    lazyConnect: true,
    enableAutoPipelining: true,
    connectTimeout: 5_000,
    commandTimeout: 5_000,
    maxRetriesPerRequest: 3,
    retryStrategy: (attempt) => Math.min(50 * 2 ** attempt, 2_000),
    ...(location.url.startsWith('rediss:')
      ? { tls: { rejectUnauthorized: true, ...(location.ca ? { ca: location.ca } : {}) } }
      : {}),
  });
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
    const why = (reason ?? (error as Error)).message;
    throw new Error(`Redis at ${hostname}:${port || 6379} does not answer: ${why}. Check REDIS_URL.`, {
      cause: error,
    });
  }
  return redis;
}
