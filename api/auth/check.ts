import type { FastifyRequest } from 'fastify';

/**
 * Puts on a request who asks. Throws 401 when that is nobody, and 403 when the route is not for whoever that is.
 *
 * @param counted is told as soon as it is known who asks; may reject
 */
export type Check = (request: FastifyRequest, counted: () => Promise<void>) => Promise<void>;
