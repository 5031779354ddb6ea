import { createHmac } from 'node:crypto';
import { createRequire } from 'node:module';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { createApiDescription } from '../openapi-for-tests.ts';
import type { GitBehind, StandIn } from '../rest/stand-in-for-tests.ts';

export type Json = Record<string, unknown>;
export type Level = 'read' | 'write';

export interface Hook {
  id: number;
  active: boolean;
  events: string[];
  config: Record<string, string>;
}

export interface Delivery {
  id: number;
  guid: string;
  event: string;
  body: Buffer;
  delivered_at: string;
  redelivery: boolean;
  status_code: number;
}

export interface GithubRepository {
  id: number;
  name: string;
  /** What it is called in the git behind, which renames nothing. */
  gitName: string;
  folder: string;
  archived: boolean;
  keysForbidden: boolean;
  keys: Map<number, { key: string; title: string; read_only: boolean; gitId: string }>;
  hooks: Map<number, Hook>;
  deliveries: Map<number, Delivery[]>;
  statuses: { sha: string; state: string; context: string; description: string; target_url: string }[];
}

/** What a token was minted for; every repository of the installation where none is named. */
export interface Minted {
  repositories: number[] | undefined;
  permissions: Record<string, string>;
}

/** A stand-in for GitHub Enterprise Server: stateful, with real git behind it, held to GitHub's published OpenAPI. */
export interface GithubStandIn extends StandIn {
  /** Fine-grained token with all that Ebb needs; `permissions` and `revoked` change what it may do. */
  token: { value: string; revoked: boolean; permissions: Record<string, Level> };
  app: StandIn['app'];
  /** A GitHub App that is installed at the owner of the repositories. */
  githubApp: {
    id: string;
    installationId: string;
    privateKey: string;
    permissions: Record<string, Level>;
    suspended: boolean;
    /** Tokens that were minted, each with what it was restricted to. */
    minted: Minted[];
  };
  git: GitBehind;
  sshAddress: string;
  hostKeys: string[];
  repository(name: string): GithubRepository;
  addRepository(name: string): Promise<GithubRepository>;
  /** Answers under the old name redirect to the new one, until a repository is added under the old name. */
  rename(name: string, newName: string): void;
  remove(name: string): void;
  /** Delivers an event to the hooks of a repository that want it; a payload that is not as published throws. */
  deliver(repository: string, event: string, payload: Json): Promise<void>;
  openPullRequest(
    repository: string,
    request: { number: number; commit: string; branch: string; fork?: boolean; action?: string; at?: string },
  ): Promise<void>;
  /** While true, deliveries are lost: the log says that they failed. */
  losing: boolean;
  /** Resolves when every delivery was answered. */
  idle(): Promise<void>;
}

const document = createRequire(import.meta.url)('@octokit/openapi/generated/api.github.com.json');
export const description = createApiDescription(document);
/** One of the published examples. */
export const example = (name: string): Json => structuredClone(document.components.examples[name].value);
export const basePath = '/api/v3';
/** Path of everything of a repository. */
export const repo = `${basePath}/repos/:owner/:repo`;

/** What the routes of the stand-in share. */
export interface GithubRoutes {
  app: StandIn['app'];
  github: GithubStandIn;
  repositories: Map<string, GithubRepository>;
  /** Old names, each with the new one. */
  moved: Map<string, string>;
  nextId(): number;
  /** The repository that a request is about. */
  of(request: FastifyRequest): GithubRepository;
  toPayload(repository: GithubRepository): Json;
}

/** The permission that a route needs. */
export const needs = (permission: string, level: Level) => ({ config: { needs: [permission, level] } });

export const paramsOf = (request: FastifyRequest) => request.params as Record<string, string>;

/** Answers with an ETag, and with 304 when the caller has it already. */
export function send200(reply: FastifyReply, request: FastifyRequest, body: unknown) {
  const etag = `W/"${createHmac('sha256', 'etag').update(JSON.stringify(body)).digest('hex')}"`;
  reply.header('etag', etag);
  return request.headers['if-none-match'] === etag ? reply.code(304).send() : reply.send(body);
}

export function page<T>(request: FastifyRequest, items: T[]): T[] {
  const { per_page = '30', page: number = '1' } = request.query as Record<string, string>;
  const size = Number(per_page);
  return items.slice((Number(number) - 1) * size, Number(number) * size);
}

export function fail(reply: FastifyReply, status: number, message: string, error?: string) {
  return reply.code(status).send({
    message,
    ...(error === undefined
      ? {}
      : { errors: [{ resource: 'Resource', code: 'custom', field: 'field', message: error }] }),
    documentation_url: 'https://docs.github.com/rest',
  });
}
