import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import type { Connection } from '../contract/connection.ts';
import { createFileKeyWrapper } from '../contract/custody/key-wrapper.ts';
import { logHooks } from '../contract/log-hooks.ts';
import { createSweptQueue } from '../queue/swept-queue-for-tests.ts';
import { startRedis } from '../queue/test-redis.ts';
import { buildApp } from './app.ts';
import { auditHostRefusal } from './audit/audit-host-refusal.ts';
import { createRefusalAudit } from './audit/audit-refusals.ts';
import type { ApiContext } from './context.ts';
import { createCustody } from './custody/custody.ts';
import { type DatabaseLocation, openDatabase } from './db/database.ts';
import { pgliteTemplate } from './db/pglite-for-tests.ts';
import { watchAnswers } from './http/described-answers-for-tests.ts';
import type { Mail } from './mail/mailer.ts';
import { createApiMetrics } from './metrics/api-metrics.ts';
import { createSigner } from './signing/create-signer.ts';
import { localKind } from './source-hosts/local/local-kind.ts';
import { startLocalSourceHost } from './source-hosts/local/start-local-source-host.ts';
import { createSourceHosts, type HostKind } from './source-hosts/source-hosts.ts';
import { firstStart } from './teams/first-start.ts';
import { ensureTokenKey } from './token-keys/rotate-token-key.ts';
import { createTokenSigner } from './token-keys/token-signer.ts';

/** The control plane for one test file: a real Redis and source host, PGlite in memory unless a server is given. `kinds` are source hosts besides `local`. */
export async function openTestContext(
  location?: DatabaseLocation,
  kinds: Partial<Record<Connection['kind'], HostKind>> = {},
) {
  const root = await mkdtemp(join(tmpdir(), 'ebb-api-'));
  const lines: string[] = [];
  const log = pino({ level: 'info', hooks: logHooks }, { write: (line: string) => void lines.push(line) });
  const local = await startLocalSourceHost({ root, port: 0, logger: pino({ level: 'silent' }) });
  const redis = await startRedis();
  const queue = await createSweptQueue({ url: redis.url });
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const privateJwk = () => generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  const custody = createCustody({
    keyWrapper: createFileKeyWrapper(pair.publicKey.export({ format: 'jwk' })),
    hookMasterKey: randomBytes(32),
  });
  const database = await openDatabase(location ?? { folder: 'memory://', loadFrom: await pgliteTemplate() });
  const mails: Mail[] = [];
  const signer = createSigner({ receiptKey: privateJwk() });
  const tokenKeys = { database, sealing: custody.tokenKeySealing, now: () => new Date() };
  await ensureTokenKey(tokenKeys, privateJwk());
  const context: ApiContext = {
    database,
    auditRefusal: createRefusalAudit({ database, signer, now: () => new Date(), log }),
    queue,
    sourceHosts: createSourceHosts(
      custody,
      { local: localKind(local.host), ...kinds },
      {
        onRefused(id, error) {
          auditHostRefusal(context, id, error).catch((problem) => log.warn(String(problem)));
        },
      },
    ),
    custody,
    fetch: globalThis.fetch,
    signer,
    tokens: createTokenSigner({ ...tokenKeys, issuer: 'http://ebb.test' }),
    publicUrl: 'http://ebb.test',
    now: () => new Date(),
    stopping: new AbortController().signal,
    log,
    metrics: createApiMetrics(queue),
    signUp: 'open',
    mailer: { send: async (mail) => void mails.push(mail) },
  };
  const keys = await firstStart(context, { teamName: 'acme' });
  if (!keys) throw new Error('The database of a test must be empty.');
  const watch = watchAnswers();
  const app = await buildApp(context, { watch: watch.add });
  return {
    context,
    app,
    keys,
    /** What was mailed so far. */
    mails,
    /** What was logged so far, one JSON object a line. */
    logged: () => lines.join(''),
    /** Private half of the key-encryption key. */
    keyEncryptionKey: pair.privateKey,
    redisUrl: redis.url,
    createRepository: (name: string) => local.createRepository(name),
    /** Serves the app on loopback, so that source hosts can deliver to it. */
    async listen() {
      context.publicUrl = await app.listen({ port: 0, host: '127.0.0.1' });
    },
    async close() {
      await app.close();
      await context.database.destroy();
      await queue.close();
      await redis.close();
      await local.close();
      await rm(root, { recursive: true });
      watch.requireDescribed();
    },
  };
}

export type TestContext = Awaited<ReturnType<typeof openTestContext>>;
