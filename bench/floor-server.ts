import { fastify } from 'fastify';

// The floor of benchmarks of the API: Fastify takes a JSON body and does nothing with it, or gives the JSON that its parent
// sent it last.
let answer: unknown;
process.on('message', (told) => {
  answer = told;
});
const app = fastify({ bodyLimit: 25 * 1024 * 1024 });
app.post('/', async () => ({ status: 'accepted' }));
app.get('/', async () => answer);
process.send?.(await app.listen({ port: 0, host: '127.0.0.1' }));
process.once('SIGTERM', async () => {
  await app.close();
  process.disconnect?.();
});
