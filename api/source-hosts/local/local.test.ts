import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { testSourceHost } from '../conformance.ts';
import { startLocalSourceHost } from './start-local-source-host.ts';
import { parseLocalWebhook } from './webhook.ts';

testSourceHost('local', async () => {
  const root = await mkdtemp(join(tmpdir(), 'ebb-local-host-'));
  const local = await startLocalSourceHost({ root, port: 0, logger: pino({ level: 'silent' }) });
  await local.createRepository('shop');
  await local.createRepository('acme/tools');
  return {
    host: local.host,
    parseWebhook: parseLocalWebhook,
    repository: 'shop',
    otherRepository: 'acme/tools',
    missingRepository: 'nowhere',
    authorizeDeveloper: (publicKey) => local.authorizeUser(publicKey),
    async close() {
      await local.close();
      await rm(root, { recursive: true });
    },
  };
});
