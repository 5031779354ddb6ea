import { connectRedis, type RedisLocation } from '../../queue/redis-connection.ts';
import type { Finding } from './finding.ts';

/** Asks Redis how it is set. It answers within 5 s or counts as away. */
export async function redisFindings(location: RedisLocation): Promise<Finding[]> {
  const settings = await readSettings(location);
  if (settings instanceof Error) {
    return [
      {
        ...{ code: 'redis_unreachable', severity: 'high', what: settings.message },
        why: 'No build is given to a runner, and how Redis is set could not be looked at.',
        fix: 'Start Redis, or correct the address, and ask again.',
      },
    ];
  }
  return [
    ...((await asksForPassword(location)) ? [] : [withoutPassword(new URL(location.url).host)]),
    ...settingFindings(settings),
  ];
}

/** Undefined where Redis does not tell, as where a provider runs it. */
async function readSettings(location: RedisLocation): Promise<Map<string, string> | undefined | Error> {
  try {
    const redis = await connectRedis(location);
    try {
      const answers = await Promise.all(
        ['appendonly', 'maxmemory-policy'].map((name) => redis.config('GET', name)),
      );
      return new Map((answers as string[][]).map(([name = '', value = '']) => [name, value]));
    } catch {
      return undefined;
    } finally {
      redis.disconnect();
    }
  } catch (error) {
    return error as Error;
  }
}

async function asksForPassword({ url, ca }: RedisLocation): Promise<boolean> {
  const anonymous = new URL(url);
  anonymous.username = '';
  anonymous.password = '';
  for (const name of ['username', 'password']) anonymous.searchParams.delete(name);
  try {
    (await connectRedis({ url: anonymous.href, ...(ca ? { ca } : {}) })).disconnect();
    return false;
  } catch {
    return true;
  }
}

const withoutPassword = (address: string): Finding => ({
  ...{ code: 'redis_without_password', severity: 'high' },
  what: `Redis at ${address} asks for no password.`,
  why: 'Who reaches it, code in a VM by the network of QEMU included, can take builds out of the queue and put others in.',
  fix: 'Set requirepass, or a user with a password, and put it into EBB_REDIS_URL of API and runners: rediss://user:password@host:port.',
});

function settingFindings(settings: Map<string, string> | undefined): Finding[] {
  if (!settings) {
    return [
      {
        ...{ code: 'redis_settings_not_checked', severity: 'info' },
        what: 'Redis does not let this user ask for its settings (CONFIG GET).',
        why: 'Whether it keeps what waits and never throws entries away was not looked at.',
        fix: 'See at your provider that maxmemory-policy is noeviction.',
      },
    ];
  }
  const policy = settings.get('maxmemory-policy');
  return [
    ...(policy === 'noeviction' ? [] : [evicts(policy ?? 'not told')]),
    ...(settings.get('appendonly') === 'yes' ? [] : [forgets]),
  ];
}

const evicts = (policy: string): Finding => ({
  ...{ code: 'redis_evicts', severity: 'high' },
  what: `maxmemory-policy of Redis is ${policy}.`,
  why: 'When its memory is full it throws away what waits and who holds what: builds can wait for ever, and Redis can stop answering.',
  fix: 'Set maxmemory-policy noeviction; Ebb then says that the queue is full.',
});

const forgets: Finding = {
  ...{ code: 'redis_forgets', severity: 'low' },
  what: 'Redis keeps no append-only file (appendonly no).',
  why: 'When it starts anew the queue is empty until the API has filled it from the database, and builds that run are begun again.',
  fix: 'Set appendonly yes, or have a replica.',
};
