import type { FastifyReply, FastifyRequest } from 'fastify';
import { ProblemError } from '../http/problem-error.ts';

// Each is asked for in the database every second, and holds the part of a log that it has not read yet.
const most = { 'API key': 100, team: 1000 };

/**
 * Counts who reads logs and events at the moment, for each API key and person, and for each team. What it gives counts an answer
 * until it is over, and throws 429 `too_many_readers` for one too many.
 */
export function limitReaders(): (request: FastifyRequest, reply: FastifyReply) => void {
  const reading = new Map<string, number>();
  return ({ principal: { keyId, teamId } }, { raw }) => {
    // Of who went before this was asked no event tells any more.
    if (raw.destroyed) return;
    for (const [who, id] of [['API key', keyId] as const, ['team', teamId] as const])
      if ((reading.get(id) ?? 0) >= most[who]) throw tooMany(who);
    for (const id of [keyId, teamId]) reading.set(id, (reading.get(id) ?? 0) + 1);
    let isOver = false;
    const leave = () => {
      if (isOver) return;
      isOver = true;
      for (const id of [keyId, teamId]) {
        const left = (reading.get(id) ?? 1) - 1;
        if (left > 0) reading.set(id, left);
        else reading.delete(id);
      }
    };
    // The one comes when all was sent, the other when the reader went before.
    raw.once('finish', leave).once('close', leave);
  };
}

function tooMany(who: keyof typeof most): ProblemError {
  const end = who === 'team' ? 'End some.' : 'End some, or read with another key.';
  const detail = `${most[who]} logs and event streams are being read ${who === 'team' ? 'in' : 'with'} this ${who}. ${end}`;
  return new ProblemError(429, 'too_many_readers', detail, { headers: { 'retry-after': '5' } });
}
