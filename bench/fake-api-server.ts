import { startFakeApi } from '../provider/acceptance/fake-api.ts';

// The API of the provider's benchmark in a process of its own, so that its work is nobody else's.
const api = await startFakeApi();
process.send?.({ endpoint: api.endpoint, apiKey: api.apiKey });
process.once('SIGTERM', () => void api.close());
