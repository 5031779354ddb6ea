import type { FastifyReply } from 'fastify';

const written = new WeakMap<object, Buffer>();

/** Answers several requests with the same object, by the same schema, which is written out once. */
export function sendShared(reply: FastifyReply, representation: object): FastifyReply {
  const text = written.get(representation) ?? Buffer.from(String(reply.serialize(representation)));
  written.set(representation, text);
  return reply.type('application/json; charset=utf-8').send(text);
}
