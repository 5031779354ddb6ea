import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { freePort } from '../../queue/free-port.ts';
import { startEbbProcess } from './child-process.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-child-'));
});
after(() => rm(folder, { recursive: true }));

test('a command that cannot start ends, and whoever started it is told why', async () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const port = await freePort();
  const starting = startEbbProcess({
    command: 'api',
    environment: {
      EBB_LISTEN: '127.0.0.1:0',
      EBB_DATA_DIR: join(folder, 'data'),
      EBB_KEYS_DIR: join(folder, 'keys'),
      EBB_REDIS_URL: `redis://127.0.0.1:${port}`,
      EBB_KEY_ENCRYPTION_KEY: JSON.stringify(publicKey.export({ format: 'jwk' })),
    },
    logFile: join(folder, 'api.log'),
    signal: AbortSignal.timeout(60_000),
  });
  await assert.rejects(starting, /ended before it was ready:\n.*Redis at 127\.0\.0\.1:\d+ does not answer/s);
});
