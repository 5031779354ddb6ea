import type { FastifyReply, FastifyRequest } from 'fastify';
import { ProblemError } from '../http/problem-error.ts';

// Each is asked for in the database every second, and holds the part of a log that it has not read yet.
const perKey = 100;

/**
 * Counts who reads logs and events at the moment, for each API key and person. What it gives counts an answer until it is
 * over, and throws 429 `too_many_readers` for one too many.
 */
export function limitReaders(): (request: FastifyRequest, reply: FastifyReply) => void {
  const reading = new Map<string, number>();
  return ({ principal: { keyId } }, { raw }) => {
    const count = reading.get(keyId) ?? 0;
    if (count >= perKey) {
      const detail = `${perKey} logs and event streams are being read with this API key. End some, or read with another key.`;
      throw new ProblemError(429, 'too_many_readers', detail, { headers: { 'retry-after': '5' } });
    }
    reading.set(keyId, count + 1);
    let isOver = false;
    const leave = () => {
      if (isOver) return;
      isOver = true;
      const left = (reading.get(keyId) ?? 1) - 1;
      if (left > 0) reading.set(keyId, left);
      else reading.delete(keyId);
    };
    // The one comes when all was sent, the other when the reader went before.
    raw.once('finish', leave).once('close', leave);
  };
}
