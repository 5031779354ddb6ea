import { Cluster, Redis } from 'ioredis';
import { UnreachableError } from '../contract/unreachable-error.ts';
import { verifiedTls } from '../contract/verified-tls.ts';

export interface RedisLocation {
  /** `redis://` on this machine, `rediss://` (TLS, certificate verified) anywhere else. Of a cluster any of its nodes. */
  url: string;
  /** Certificate authority or the server's own certificate to trust, PEM, when it is not from a public authority. */
  ca?: string;
}

export type RedisClient = Redis | Cluster;

const retryStrategy = (attempt: number) => Math.min(50 * 2 ** attempt, 2_000);

function optionsOf({ url, ca }: RedisLocation, impatient = false) {
  return {
    connectTimeout: 5_000,
    commandTimeout: impatient ? 250 : 5_000,
    maxRetriesPerRequest: 3,
    retryStrategy,
    ...(url.startsWith('rediss:') ? { tls: verifiedTls(ca) } : {}),
  };
}

/**
 * Opens a connection and waits until Redis answers; where it is a node of a cluster, to those that have the keys. Commands
 * fail after 5 s rather than wait for ever; `impatient` ones after a quarter of a second, and at once while there is no
 * connection. Throws UnreachableError, also when the certificate is not to be trusted.
 */
export async function connectRedis(
  location: RedisLocation,
  { impatient = false }: { impatient?: boolean } = {},
): Promise<RedisClient> {
  const redis = new Redis(location.url, {
    ...optionsOf(location, impatient),
    lazyConnect: true,
    enableAutoPipelining: true,
  });
  let reason: Error | undefined;
  redis.on('error', (error: Error) => {
    reason = error;
  });
  try {
    await redis.connect();
    redis.options.enableOfflineQueue = !impatient;
    if (!/^cluster_enabled:1/m.test(await redis.info('cluster'))) return redis;
    const cluster = await connectCluster(location, impatient);
    redis.disconnect();
    return cluster;
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
}

/** A second connection to the same place, opened by its first command. */
export function anotherConnection(client: RedisClient): RedisClient {
  return client instanceof Cluster ? client.duplicate() : client.duplicate();
}

/** All keys of Ebb are in one slot; who has it may change. */
async function connectCluster(location: RedisLocation, impatient: boolean): Promise<Cluster> {
  const { hostname, port, username, password } = new URL(location.url);
  const cluster = new Cluster([{ host: hostname, port: Number(port || 6379) }], {
    lazyConnect: true,
    enableAutoPipelining: true,
    clusterRetryStrategy: retryStrategy,
    // Over TLS nodes are known by their names, which their certificates are for.
    dnsLookup: (address, callback) => callback(null, address),
    redisOptions: {
      ...optionsOf(location, impatient),
      ...(username ? { username: decodeURIComponent(username) } : {}),
      ...(password ? { password: decodeURIComponent(password) } : {}),
    },
  });
  cluster.on('error', () => {});
  try {
    await cluster.connect();
    cluster.options.enableOfflineQueue = !impatient;
    return cluster;
  } catch (error) {
    cluster.disconnect();
    throw error;
  }
}
