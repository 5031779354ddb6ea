import { EventEmitter, once } from 'node:events';
import { anotherConnection, type RedisClient } from './redis-connection.ts';

type Channel = 'work' | 'build' | 'cancel';

/** Listens to what queue clients publish, on a connection of its own that is opened at the first listener. */
export function createAnnouncements(redis: RedisClient, prefix: string) {
  const events = new EventEmitter({ captureRejections: true });
  events.setMaxListeners(0);
  const heard = new Map<string, number>();
  let subscriber: RedisClient | undefined;
  let subscribing: Promise<unknown> | undefined;

  const connection = () => {
    const made = anotherConnection(redis);
    // A lost connection is opened again by the client; who waits has a poll as a net.
    made.on('error', () => {});
    made.on('message', (channel: string, message: string) => {
      heard.set(channel, (heard.get(channel) ?? 0) + 1);
      events.emit(channel, message);
    });
    return made;
  };
  /** What fails while Redis is away is tried again by the next who listens: the client remembers only what was answered. */
  const subscribed = async () => {
    subscriber ??= connection();
    subscribing ??= subscriber
      .subscribe(`${prefix}:work`, `${prefix}:build`, `${prefix}:cancel`)
      .catch((error) => {
        subscribing = undefined;
        throw error;
      });
    await subscribing;
  };

  const heardOn = (channel: Channel) => heard.get(`${prefix}:${channel}`) ?? 0;

  return {
    /** How many messages came in so far. */
    heard: heardOn,
    /** Resolves when more messages have come in than `known`, or when the signal aborts. */
    async once(channel: Channel, known: number, signal: AbortSignal): Promise<void> {
      await subscribed().catch(() => undefined);
      if (!signal.aborted && heardOn(channel) <= known)
        await once(events, `${prefix}:${channel}`, { signal }).catch(() => undefined);
    },
    /** Calls back at each message until the signal aborts. */
    async on(channel: Channel, listener: (message: string) => void, signal: AbortSignal): Promise<void> {
      const name = `${prefix}:${channel}`;
      events.on(name, listener);
      signal.addEventListener('abort', () => events.off(name, listener), { once: true });
      await subscribed();
    },
    close() {
      subscriber?.disconnect();
      events.removeAllListeners();
    },
  };
}
