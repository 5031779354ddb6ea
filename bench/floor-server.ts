import { fastify } from 'fastify';

// The floor of the webhook benchmark: Fastify takes a JSON body and does nothing with it.
const app = fastify({ bodyLimit: 25 * 1024 * 1024 });
app.post('/', async () => ({ status: 'accepted' }));
process.send?.(await app.listen({ port: 0, host: '127.0.0.1' }));
process.once('SIGTERM', () => app.close());
