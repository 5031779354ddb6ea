import { type Logger, pino } from 'pino';
import { endGrants } from '../api/access-grants/end-grant.ts';
import { defaultRateLimits } from '../api/app.ts';
import { auditHostRefusal } from '../api/audit/audit-host-refusal.ts';
import { createRefusalAudit } from '../api/audit/audit-refusals.ts';
import { runEvery } from '../api/background.ts';
import { runSweeper } from '../api/builds/sweep.ts';
import { createVmWatch } from '../api/builds/watch-vms.ts';
import { type ApiConfiguration, sourceHostNetworks } from '../api/configuration.ts';
import { splitHostPort } from '../api/configuration-problems.ts';
import { refreshHostKeys } from '../api/connections/refresh-host-keys.ts';
import type { ApiContext } from '../api/context.ts';
import { createCustody } from '../api/custody/custody.ts';
import { openKeyWrapper } from '../api/custody/open-key-wrapper.ts';
import { connectDatabase, type Database, openDatabase } from '../api/db/database.ts';
import { databaseLocation } from '../api/db/database-configuration.ts';
import { requireMigrated } from '../api/db/migrate.ts';
import { removeRetiredKeys } from '../api/deploy-keys/retired-keys.ts';
import { removeRetiredHooks } from '../api/hook-bindings/retired-hooks.ts';
import {
  beginKeyEncryptionRotation,
  finishKeyEncryptionRotation,
} from '../api/key-encryption/key-encryption-rotation.ts';
import { eraseLogs } from '../api/logs/erase-logs.ts';
import { createLogMailer } from '../api/mail/log-mailer.ts';
import type { Mailer } from '../api/mail/mailer.ts';
import { forgetMails, sendMails } from '../api/mail/send-mails.ts';
import { createSmtpMailer } from '../api/mail/smtp-mailer.ts';
import { createApiMetrics } from '../api/metrics/api-metrics.ts';
import { mailSignInLinks } from '../api/people/ask-to-sign-in.ts';
import { createGithubLogin, type GithubLogin } from '../api/people/github/github-login.ts';
import { forgetSessions } from '../api/people/session-store.ts';
import { finishRemovals } from '../api/reconciler/finish-removals.ts';
import { noticeRemovals } from '../api/reconciler/notice-removals.ts';
import { reconcileHooks } from '../api/reconciler/reconcile-hooks.ts';
import { resumeRevocations } from '../api/revocation/resume-revocations.ts';
import { startServer } from '../api/server.ts';
import { createSigner } from '../api/signing/create-signer.ts';
import { readApiKeys } from '../api/signing/read-api-keys.ts';
import { hostKinds } from '../api/source-hosts/host-kinds.ts';
import { startLocalSourceHost } from '../api/source-hosts/local/start-local-source-host.ts';
import { createGuardedFetch } from '../api/source-hosts/rest/guarded-fetch.ts';
import { createSourceHosts } from '../api/source-hosts/source-hosts.ts';
import { reportStatuses } from '../api/statuses/report-statuses.ts';
import { firstStart } from '../api/teams/first-start.ts';
import { ensureTokenKey, forgetTokenKeys, rotateOldTokenKey } from '../api/token-keys/rotate-token-key.ts';
import { createTokenSigner } from '../api/token-keys/token-signer.ts';
import { logHooks } from '../contract/log-hooks.ts';
import { connectRedis } from '../queue/redis-connection.ts';
import { createRedisQueue } from '../queue/redis-queue.ts';
import { CliError } from './cli-error.ts';
import type { FirstKeys } from './first-keys.ts';
import { serveMetricsAt } from './serve-metrics-at.ts';

const sweepIntervalMs = 5_000;

/** What the process tells when it answers requests. */
export interface ApiReady {
  url: string;
  source?: { port: number; hostKey: string };
  /** Those made at the first start, and never again. Keys that were given are known already. */
  firstKeys?: FirstKeys;
}

/** Runs the control plane until `stop` aborts. What it opened is closed when it resolves or rejects. */
export async function runApiProcess(options: {
  configuration: ApiConfiguration;
  stop: AbortSignal;
  onReady(ready: ApiReady): void;
}): Promise<void> {
  const { configuration, stop } = options;
  const log = pino({
    ...{ name: 'ebb-api', hooks: logHooks },
    redact: ['req.headers.authorization', 'req.headers.cookie'],
  });
  const opened: (() => Promise<unknown>)[] = [];
  try {
    const { context, source, limits } = await open(configuration, log, stop, opened);
    // First the address: a start that fails for it must not have made keys that nobody saw.
    const server = await startServer({
      context,
      listen: splitHostPort(configuration.EBB_LISTEN),
      ...tlsOf(configuration),
      behindRouter: configuration.EBB_BEHIND_TLS_ROUTER,
      rateLimits: { ...defaultRateLimits, perKey: configuration.EBB_REQUESTS_PER_MINUTE, redis: limits },
    }).catch((error) => {
      throw cannotListen(error, configuration);
    });
    opened.push(server.close);
    if (context.metrics)
      opened.push(await serveMetricsAt(configuration.EBB_METRICS_LISTEN, context.metrics, log));
    const firstKeys = await prepareTeams(context, configuration);
    await beginKeyEncryptionRotation(context);
    const background = [
      runSweeper(context, { intervalMs: sweepIntervalMs, signal: stop }),
      ...runBackground(context, stop),
    ];
    opened.push(() => Promise.all(background));
    options.onReady({
      url: configuration.EBB_PUBLIC_URL,
      ...(source ? { source: { port: source.port, hostKey: source.hostKey } } : {}),
      ...(firstKeys ? { firstKeys } : {}),
    });
    await new Promise((resolve) =>
      stop.aborted ? resolve(undefined) : stop.addEventListener('abort', resolve, { once: true }),
    );
  } finally {
    while (opened.length > 0) await opened.pop()?.();
  }
}

async function open(
  configuration: ApiConfiguration,
  log: Logger,
  stop: AbortSignal,
  opened: (() => Promise<unknown>)[],
) {
  const keys = await readApiKeys(configuration);
  const database = await openPrepared(configuration);
  opened.push(() => database.destroy());
  const redis = {
    url: configuration.EBB_REDIS_URL,
    maxWaiting: configuration.EBB_MAX_WAITING_BUILDS,
    ...(configuration.EBB_REDIS_CA ? { ca: configuration.EBB_REDIS_CA } : {}),
  };
  const queue = await createRedisQueue(redis);
  opened.push(() => queue.close());
  const limits = await connectRedis(redis, { impatient: true });
  opened.push(async () => limits.disconnect());
  const source = configuration.EBB_LOCAL_SOURCE_DIR
    ? await startLocalSourceHost({
        root: configuration.EBB_LOCAL_SOURCE_DIR,
        port: configuration.EBB_LOCAL_SOURCE_PORT,
        logger: log.child({ part: 'source-host' }),
      })
    : undefined;
  if (source) opened.push(() => source.close());
  const custody = createCustody({
    keyWrapper: await openKeyWrapper(configuration),
    hookMasterKey: keys.hookMasterKey,
  });
  const signer = createSigner(keys);
  const tokenKeys = { database, sealing: custody.tokenKeySealing, now: () => new Date() };
  await ensureTokenKey(tokenKeys, keys.tokenKey);
  const fetch = createGuardedFetch(sourceHostNetworks(configuration));
  const context: ApiContext = {
    database,
    queue,
    sourceHosts: createSourceHosts(custody, hostKinds(source?.host), {
      fetch,
      onRefused(connectionId, error) {
        auditHostRefusal(context, connectionId, error).catch((problem) =>
          log.warn({ error: String(problem) }, 'a refusal of a source host could not be looked up'),
        );
      },
    }),
    custody,
    fetch,
    auditRefusal: createRefusalAudit({ database, signer, now: () => new Date(), log }),
    signer,
    tokens: createTokenSigner({ ...tokenKeys, issuer: configuration.EBB_PUBLIC_URL }),
    publicUrl: configuration.EBB_PUBLIC_URL,
    signUp: configuration.EBB_SIGN_UP,
    github: githubOf(configuration, fetch),
    now: () => new Date(),
    stopping: stop,
    log,
    metrics: createApiMetrics(queue),
    mailer: mailerOf(configuration, log),
  };
  return { context, source, limits };
}

/** Opens the database, with its schema brought up to date or at least found to be so. */
async function openPrepared(configuration: ApiConfiguration): Promise<Database> {
  const location = databaseLocation(configuration);
  if (configuration.EBB_MIGRATE) return await openDatabase(location);
  const database = await connectDatabase(location);
  try {
    await requireMigrated(database);
  } catch (error) {
    await database.destroy();
    throw error;
  }
  return database;
}

/** Where the database is prepared by others, the first keys are too: a platform would keep what is printed in its log. */
async function prepareTeams(
  context: ApiContext,
  { EBB_MIGRATE, EBB_TEAM, EBB_FIRST_ADMIN_KEY, EBB_FIRST_RUNNER_KEY }: ApiConfiguration,
): Promise<ApiReady['firstKeys']> {
  if (EBB_MIGRATE) {
    const keys = { admin: EBB_FIRST_ADMIN_KEY, runner: EBB_FIRST_RUNNER_KEY };
    const first = await firstStart(context, { teamName: EBB_TEAM, keys });
    if (!first || (keys.admin && keys.runner)) return undefined;
    return {
      ...(keys.admin ? {} : { admin: first.admin }),
      ...(keys.runner ? {} : { runner: first.runner }),
    };
  }
  const team = await context.database.selectFrom('team').select('id').limit(1).executeTakeFirst();
  if (!team) context.log.warn('there is no team yet, so nobody can sign in: run `ebb first-team`');
  return undefined;
}

function cannotListen(error: NodeJS.ErrnoException, { EBB_LISTEN }: ApiConfiguration): Error {
  const reasons: Record<string, string> = {
    EADDRINUSE: 'where something listens already. Stop that, or name another port',
    EACCES: 'which this user may not listen on. Name a port above 1023',
    EADDRNOTAVAIL: 'which is no address of this machine. Name one that is',
  };
  const reason = reasons[error.code ?? ''];
  return reason ? new CliError(`EBB_LISTEN is ${EBB_LISTEN}, ${reason}.`) : error;
}

function mailerOf(
  { EBB_SMTP_URL: url, EBB_MAIL_FROM: from, EBB_SMTP_CA: ca, EBB_MAIL_TO_LOG: toLog }: ApiConfiguration,
  log: Logger,
): Mailer | undefined {
  if (url && from) return createSmtpMailer({ url, from, ...(ca ? { ca } : {}) });
  return toLog ? createLogMailer(log) : undefined;
}

function githubOf(
  { EBB_GITHUB_CLIENT_ID: id, EBB_GITHUB_CLIENT_SECRET: secret, EBB_GITHUB_URL: site }: ApiConfiguration,
  fetch: typeof globalThis.fetch,
): GithubLogin | undefined {
  return id && secret ? createGithubLogin({ site, clientId: id, clientSecret: secret, fetch }) : undefined;
}

function tlsOf({ EBB_TLS_CERT: cert, EBB_TLS_KEY: key }: ApiConfiguration) {
  return cert && key ? { tls: { cert, key } } : {};
}

/** What is done without anybody asking, by every process of the API at once: each piece of work is claimed first. */
function runBackground(context: ApiContext, stop: AbortSignal): Promise<void>[] {
  const every = (seconds: number, what: string, work: () => Promise<unknown>) =>
    runEvery(context, seconds * 1_000, stop, what, work);
  const watchVms = createVmWatch();
  let starts = 0;
  const starting = () => ++starts === 1;
  return [
    every(5, 'the watch over VMs', () => watchVms(context)),
    every(1, 'telling source hosts of builds', () => reportStatuses(context, stop)),
    every(10, 'the reconciliation with source hosts', async () => {
      while (!stop.aborted && (await reconcileHooks(context, stop)) > 0);
    }),
    // Revocations that a dead process or an absent source host left open.
    every(5, 'the resumption of revocations', () => resumeRevocations(context, stop, { all: starting() })),
    every(10, 'the look at deploy keys and hooks', async () => {
      while (!stop.aborted && (await noticeRemovals(context, stop)) > 0);
    }),
    every(60, 'the removal of what source hosts held on to', () => finishRemovals(context, stop)),
    every(60, 'the removal of rotated deploy keys', () => removeRetiredKeys(context, stop)),
    every(60, 'the removal of hooks that were not shown', () => removeRetiredHooks(context, stop)),
    every(2, 'the end of access grants', () => endGrants(context, stop)),
    every(1, 'the answer to who asked to sign in', () => mailSignInLinks(context)),
    every(2, 'the sending of mails', () => sendMails(context, stop)),
    every(60, 'the count of refusals', () => context.auditRefusal.flush()),
    every(3600, 'the deletion of old mails', () => forgetMails(context)),
    every(3600, 'the deletion of old sessions', () => forgetSessions(context)),
    every(60, 'the deletion of destroyed logs', () => eraseLogs(context, stop)),
    every(30, 'the look at the rotation of the key-encryption key', () =>
      finishKeyEncryptionRotation(context),
    ),
    every(60, 'the rotation of the key that signs tokens', async () => {
      await rotateOldTokenKey({ ...context, sealing: context.custody.tokenKeySealing });
      await forgetTokenKeys(context);
    }),
    every(600, 'the look at SSH host keys', () => refreshHostKeys(context, stop)),
  ];
}
