import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import pino from 'pino';
import { createFileKeyWrapper } from '../../contract/custody/key-wrapper.ts';
import { scopes } from '../../contract/token.ts';
import { createSweptQueue } from '../../queue/swept-queue-for-tests.ts';
import { startRedis } from '../../queue/test-redis.ts';
import { buildApp } from '../app.ts';
import { createRefusalAudit } from '../audit/audit-refusals.ts';
import { createApiKey } from '../auth/api-key.ts';
import type { ApiContext } from '../context.ts';
import { createCustody } from '../custody/custody.ts';
import { json, openDatabase } from '../db/database.ts';
import { newId } from '../db/new-id.ts';
import { pgliteTemplate } from '../db/pglite-for-tests.ts';
import { createSigner } from '../signing/create-signer.ts';
import { localKind } from '../source-hosts/local/local-kind.ts';
import { startLocalSourceHost } from '../source-hosts/local/start-local-source-host.ts';
import type { SourceHost } from '../source-hosts/source-host.ts';
import { createSourceHosts } from '../source-hosts/source-hosts.ts';
import { ensureTokenKey } from '../token-keys/rotate-token-key.ts';
import { createTokenSigner } from '../token-keys/token-signer.ts';

const privateJwk = () => generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });

/** The control plane with a real Redis, PGlite and source host; `fault` makes calls to the source host fail. */
export async function openSetting() {
  const root = await mkdtemp(join(tmpdir(), 'ebb-revocation-'));
  const log = pino({ level: 'silent' });
  const local = await startLocalSourceHost({ root, port: 0, logger: log });
  const redis = await startRedis();
  const queue = await createSweptQueue({ url: redis.url });
  const keyEncryption = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const fault: { before?: (method: string) => void | Promise<void>; after?: (method: string) => void } = {};
  const custody = createCustody({
    keyWrapper: createFileKeyWrapper(keyEncryption.publicKey.export({ format: 'jwk' })),
    hookMasterKey: randomBytes(32),
  });
  const database = await openDatabase({ folder: 'memory://', loadFrom: await pgliteTemplate() });
  const signer = createSigner({ receiptKey: privateJwk() });
  const tokenKeys = { database, sealing: custody.tokenKeySealing, now: () => new Date() };
  await ensureTokenKey(tokenKeys, privateJwk());
  const context: ApiContext = {
    signUp: 'closed',
    database,
    auditRefusal: createRefusalAudit({ database, signer, now: () => new Date(), log }),
    queue,
    sourceHosts: createSourceHosts(custody, { local: localKind(withFaults(local.host, fault)) }),
    custody,
    fetch: globalThis.fetch,
    signer,
    tokens: createTokenSigner({ ...tokenKeys, issuer: 'http://ebb.test' }),
    stopping: new AbortController().signal,
    publicUrl: 'http://ebb.test',
    now: () => new Date(),
    log,
  };
  const app = await buildApp(context);
  return {
    context,
    fault,
    host: local.host,
    keyEncryptionKey: keyEncryption.privateKey,
    addTeam: (name: string) => addTeam(context, name),
    addKey: async (team: { id: string; name: string }) => (await addKey(context, team)).token,
    async addProject(team: { id: string }, name: string) {
      await local.createRepository(name);
      return await addProject(context, team.id, name);
    },
    /** What a repository has from Ebb. */
    async atHost(name: string) {
      const file = join(root, 'repositories', `${name}.git`, 'ebb', 'state.json');
      const { deployKeys, hooks } = JSON.parse(await readFile(file, 'utf8'));
      return { deployKeys, hooks };
    },
    /** As if the time had passed that something may take to be added at the source host. */
    async additionsEnded() {
      const ends_at = sql<Date>`now()`;
      await database.updateTable('addition').set({ ends_at }).execute();
    },
    removeRepository: (name: string) => rm(join(root, 'repositories', `${name}.git`), { recursive: true }),
    async call(
      token: string,
      method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
      url: string,
      payload?: object,
      headers: Record<string, string> = {},
    ) {
      const answer = await app.inject({
        method,
        url,
        headers: { authorization: `Bearer ${token}`, ...headers },
        ...(payload ? { payload } : {}),
      });
      const body = answer.body === '' ? undefined : answer.json();
      return { status: answer.statusCode, body, headers: answer.headers };
    },
    async close() {
      await app.close();
      await context.database.destroy();
      await queue.close();
      await redis.close();
      await local.close();
      await rm(root, { recursive: true });
    },
  };
}

export type Setting = Awaited<ReturnType<typeof openSetting>>;

function withFaults(
  host: SourceHost,
  fault: { before?: (method: string) => void | Promise<void>; after?: (method: string) => void },
): SourceHost {
  return new Proxy(host, {
    get(target, name: keyof SourceHost) {
      const value = target[name];
      if (typeof value !== 'function' || name === 'clone') return value;
      return async (...args: never[]) => {
        await fault.before?.(name);
        const result = await (value as (...args: never[]) => Promise<unknown>)(...args);
        fault.after?.(name);
        return result;
      };
    },
  });
}

async function addTeam(context: ApiContext, name: string) {
  const id = newId('team');
  await context.database.insertInto('team').values({ id, name, created_at: context.now() }).execute();
  return { id, name, ...(await addKey(context, { id, name })) };
}

/** An API key of a team, with a token. */
async function addKey(context: ApiContext, { id, name }: { id: string; name: string }) {
  const now = context.now();
  const secret = await createApiKey(context.database, { teamId: id, name, scopes: [...scopes], now });
  const key = await context.database
    .selectFrom('api_key')
    .select('id')
    .where('secret_hash', '=', createHash('sha256').update(secret).digest())
    .executeTakeFirstOrThrow();
  const claims = { sub: key.id, team: id, scope: scopes.join(' ') };
  return { keyId: key.id, token: await context.tokens.sign(claims, 600) };
}

async function addProject(context: ApiContext, teamId: string, name: string): Promise<string> {
  const { database } = context;
  const created_at = context.now();
  const connection = newId('conn');
  await database
    .insertInto('connection')
    .values({ id: connection, team_id: teamId, name, kind: 'local', host_keys: json([]), created_at })
    .execute();
  const id = newId('prj');
  const key = await context.custody.createProjectKey(id);
  await database
    .insertInto('project')
    .values({
      id,
      team_id: teamId,
      connection_id: connection,
      name,
      repository: name,
      default_branch: 'main',
      setup: json([]),
      test: json([]),
      deploy: json([]),
      environment: json({}),
      timeout_minutes: 60,
      concurrency: 1,
      image: 'base',
      memory_mib: 1024,
      public_key: json(key.publicKey),
      wrapped_private_key: key.wrappedPrivateKey,
      created_at,
      revoking_at: null,
      revoked_at: null,
    })
    .execute();
  return id;
}

/** Every row of every table as text, bytes in hexadecimal. */
export async function dump({ database }: ApiContext): Promise<string> {
  const tables = await sql<{ name: string }>`
    select table_name as name from information_schema.tables where table_schema = 'public'`.execute(database);
  const texts: string[] = [];
  for (const { name } of tables.rows) {
    const { rows } = await sql<{ text: string }>`select t::text as text from ${sql.table(name)} t`.execute(
      database,
    );
    texts.push(...rows.map((row) => row.text));
  }
  return texts.join('\n');
}
