import type { AddressInfo } from 'node:net';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import pino from 'pino';
import { startLocalSourceHost } from '../local/start-local-source-host.ts';
import { parseLocalWebhook } from '../local/webhook.ts';
import type { ApiDescription } from '../openapi-for-tests.ts';
import type { SourceHost } from '../source-host.ts';
import { isRefusal, type PushEvent } from '../webhook-event.ts';
import { startWebhookReceiver } from '../webhook-receiver.ts';

/** A way in which a host is known to fail; the first that fits a request is used up by it. */
export interface Failure {
  method?: string;
  path?: RegExp;
  /** Answers with this. */
  status?: number;
  headers?: Record<string, string>;
  body?: unknown;
  /** Never answers, or ends the connection in the middle of the answer. */
  how?: 'silent' | 'cut-off';
  /** `after`: what was asked is done, and only the answer is lost. Otherwise nothing is done. */
  when?: 'before' | 'after';
  /** How many requests it meets; default 1. */
  times?: number;
}

/** What the stand-ins of all hosts have in common. */
export interface StandIn {
  url: string;
  app: FastifyInstance;
  /** Every request, such as `POST /repos/acme/shop/keys`. */
  requests: string[];
  /** Requests or answers that are not as the host's published description has them. */
  violations: string[];
  fail(failure: Failure): void;
  /** Asked about each request; may make it fail. */
  limit: { of?: (method: string, path: string) => Failure | undefined };
  close(): Promise<void>;
}

/**
 * A server with the base path of a host's API. Where there is a description, every request and answer is held to it.
 * The caller adds routes to `app` before `listen`; `rewrite` knows other paths of the same.
 */
export function createStandIn(
  description: ApiDescription | undefined,
  basePath: string,
  rewrite: (url: string) => string = (url) => url,
) {
  const app = fastify({ forceCloseConnections: true, rewriteUrl: ({ url = '' }) => rewrite(url) });
  const requests: string[] = [];
  const violations: string[] = [];
  const failures: Failure[] = [];
  const limit: StandIn['limit'] = {};
  const losingAnswer = new WeakMap<FastifyRequest, Failure>();
  const pathOf = (request: FastifyRequest) => request.url.slice(basePath.length).split('?')[0] ?? '';
  const isOfApi = (request: FastifyRequest) => request.url.startsWith(`${basePath}/`);
  const guard = (work: () => void) => {
    try {
      work();
    } catch (error) {
      violations.push(String(error));
    }
  };
  app.addHook('preHandler', async (request, reply) => {
    if (!isOfApi(request)) return;
    const path = pathOf(request);
    requests.push(`${request.method} ${path}`);
    guard(() => {
      const query = new URL(request.url, 'http://host').searchParams;
      description?.operation(request.method, path).checkRequest(query, request.body ?? undefined);
    });
    const failure =
      limit.of?.(request.method, path) ??
      failures.find(
        ({ method, path: pattern }) =>
          (method === undefined || method === request.method) &&
          (pattern === undefined || pattern.test(path)),
      );
    if (!failure) return;
    useUp(failure, failures);
    if (failure.when === 'after') losingAnswer.set(request, failure);
    else await failAs(failure, reply);
  });
  app.addHook('onSend', async (request, reply, payload) => {
    if (!isOfApi(request)) return payload;
    guard(() => {
      if (typeof payload !== 'string' || payload === '') return;
      const operation = description?.operation(request.method, pathOf(request));
      operation?.checkResponse(reply.statusCode, JSON.parse(payload));
    });
    const failure = losingAnswer.get(request);
    return failure ? await loseAnswer(failure, reply) : payload;
  });
  return {
    app,
    requests,
    violations,
    limit,
    fail: (failure: Failure) => void failures.push({ ...failure }),
    async listen(): Promise<string> {
      await app.listen({ port: 0, host: '127.0.0.1' });
      return `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
    },
  };
}

function useUp(failure: Failure, failures: Failure[]): void {
  failure.times = (failure.times ?? 1) - 1;
  const index = failures.indexOf(failure);
  if (failure.times <= 0 && index >= 0) failures.splice(index, 1);
}

const serverError = { message: 'Server Error', documentation_url: 'https://docs.example.com' };

async function failAs({ how, status, headers, body }: Failure, reply: FastifyReply): Promise<void> {
  if (how !== undefined) {
    reply.hijack();
    if (how === 'cut-off') cutOff(reply);
    return;
  }
  await reply
    .code(status ?? 500)
    .headers(headers ?? {})
    .send(body ?? serverError);
}

/** Gives what is sent in place of the answer, if anything is. */
async function loseAnswer({ how, status, headers, body }: Failure, reply: FastifyReply): Promise<string> {
  if (how === 'cut-off') cutOff(reply);
  if (how !== undefined) return await new Promise<string>(() => {});
  reply.code(status ?? 500).headers({ 'content-type': 'application/json', ...headers });
  reply.removeHeader('content-length');
  return JSON.stringify(body ?? serverError);
}

function cutOff({ raw }: FastifyReply): void {
  raw.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
  raw.write('{"id":');
  setTimeout(() => raw.destroy(), 20);
}

/** How long a stand-in waits for the git behind it. */
export const inTime = () => AbortSignal.timeout(10_000);

/** Real repositories, real SSH: what a stand-in keeps its git in. Names are in lower case. */
export interface GitBehind {
  host: SourceHost;
  port: number;
  hostKey: string;
  authorizeUser(publicKey: string): Promise<void>;
  /** The folder of the new repository. */
  createRepository(name: string): Promise<string>;
  close(): Promise<void>;
}

const signal = AbortSignal.timeout(3_600_000);

/** `onPush` is told of every push to a repository that was made here, once, in order. */
export async function startGitBehind(
  root: string,
  onPush: (push: PushEvent) => Promise<void> | void,
): Promise<GitBehind> {
  const local = await startLocalSourceHost({ root, port: 0, logger: pino({ level: 'silent' }) });
  const secret = Buffer.alloc(32, 7);
  let told: Promise<void> = Promise.resolve();
  let seen = 0;
  const receiver = await startWebhookReceiver(() => {
    const webhook = receiver.received[seen++];
    if (webhook) {
      const push = parseLocalWebhook({ ...webhook, secret });
      if (!isRefusal(push) && push.event === 'push') told = told.then(() => onPush(push));
    }
    return 204;
  });
  return {
    host: local.host,
    port: local.port,
    hostKey: local.hostKey,
    authorizeUser: local.authorizeUser,
    async createRepository(name) {
      const folder = await local.createRepository(name);
      await local.host.addHook(name, { url: receiver.url, secret, events: ['push'] }, signal);
      return folder;
    },
    async close() {
      await local.close();
      await told;
      await receiver.close();
    },
  };
}
