import { setTimeout as sleep } from 'node:timers/promises';
import { SourceHostError } from '../errors.ts';
import type { RestAnswer } from './rest-error.ts';

/** How fast a host may be asked to change something; milliseconds from one such request to the next. */
export interface Pace {
  create: number;
  change: number;
}

const longestWaitMs = 5_000;
const maxAnswers = 100;
const maxIds = 1_000;
const maxAnswerLength = 64 * 1024;

/**
 * What this process remembers of one connection: when the host takes the next request, and answers that it may confirm
 * instead of sending them again.
 */
export class HostMemory {
  readonly #pace: Pace;
  readonly #answers = new Map<string, RestAnswer>();
  readonly #ids = new Map<string, string>();
  #nextChangeAt = 0;
  #closedUntil = 0;

  constructor(pace: Pace) {
    this.#pace = pace;
  }

  /**
   * Waits for this request's turn. Throws `rate_limited`, without having taken a turn, when that is more than 5 s away.
   * The host's own limit counts for every request, the pace for those that change something.
   */
  async turn(host: string, method: string, signal: AbortSignal): Promise<void> {
    const now = performance.now();
    if (this.#closedUntil > now) throw later(`${host} asked for fewer requests`, this.#closedUntil - now);
    if (method === 'GET') return;
    const at = Math.max(now, this.#nextChangeAt);
    if (at - now > longestWaitMs) {
      throw later(`Many changes wait for their turn at ${host}, which limits how fast`, at - now);
    }
    this.#nextChangeAt = at + (method === 'POST' ? this.#pace.create : this.#pace.change);
    if (at <= now) return;
    await sleep(at - now, undefined, { signal });
    if (this.#closedUntil > performance.now())
      throw later(`${host} asked for fewer requests`, this.#closedUntil - performance.now());
  }

  /** Sends nothing more for these seconds. */
  close(seconds: number): void {
    this.#closedUntil = Math.max(this.#closedUntil, performance.now() + seconds * 1000);
  }

  /** The id that a repository of this name had when it was last looked up. */
  idOf(repository: string): string | undefined {
    return this.#ids.get(repository);
  }

  keepId(repository: string, id: string): void {
    if (this.#ids.size >= maxIds) this.forgetId(this.#ids.keys().next().value ?? '');
    this.#ids.set(repository, id);
  }

  forgetId(repository: string): void {
    this.#ids.delete(repository);
  }

  answerOf(path: string): RestAnswer | undefined {
    return this.#answers.get(path);
  }

  /** Keeps the newest of moderate length; an answer without an ETag cannot be confirmed and is not kept. */
  keep(path: string, answer: RestAnswer, length: number): void {
    this.#answers.delete(path);
    if (!answer.headers.has('etag') || length > maxAnswerLength) return;
    if (this.#answers.size >= maxAnswers) this.#answers.delete(this.#answers.keys().next().value ?? '');
    this.#answers.set(path, answer);
  }
}

function later(why: string, milliseconds: number): SourceHostError {
  const retryAfterSeconds = Math.max(1, Math.ceil(milliseconds / 1000));
  return new SourceHostError('rate_limited', `${why}. The next one can be sent in ${retryAfterSeconds} s.`, {
    retryAfterSeconds,
  });
}

const maxMemories = 10_000;

/** One memory for each connection, of those that were used last. */
export function createMemories(pace: Pace): (connectionId: string) => HostMemory {
  const memories = new Map<string, HostMemory>();
  return (connectionId) => {
    const memory = memories.get(connectionId) ?? new HostMemory(pace);
    memories.delete(connectionId);
    if (memories.size >= maxMemories) memories.delete(memories.keys().next().value ?? '');
    memories.set(connectionId, memory);
    return memory;
  };
}
