import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createWorkspace, flat, type Workspace } from '../provider/acceptance/terraform.ts';
import { startRedis } from '../queue/test-redis.ts';
import { type ApiForTests, startApi } from './api-for-tests.ts';
import { startPostgres } from './postgres.ts';

/** The real API with its stores, for Terraform to work with. */
export interface TerraformSetting {
  api: ApiForTests;
  databaseUrl: string;
  /** A folder that is signed in to the API, or to what stands at `endpoint` in its place. */
  workspace(environment?: Record<string, string>): Promise<Workspace>;
  /** Token of the last link that was mailed under a subject with these words, each once; waits for one. */
  mailed(words: string): Promise<string>;
  /** Makes bare repositories at the built-in source host. */
  makeRepositories(...names: string[]): void;
  close(): Promise<void>;
}

export async function startTerraformSetting(signal: AbortSignal): Promise<TerraformSetting> {
  const root = await mkdtemp(join(tmpdir(), 'ebb-terraform-'));
  const opened: (() => Promise<unknown>)[] = [() => rm(root, { recursive: true, force: true })];
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  opened.push(postgres.close, redis.close);
  const seen = new Set<string>();
  const api = await startApi({
    ...{ folder: root, databaseUrl: postgres.url, redisUrl: redis.url, signal },
    environment: { EBB_MAIL_TO_LOG: 'true', EBB_SIGN_UP: 'invited' },
  });
  opened.push(() => api.stop());
  return {
    api,
    databaseUrl: postgres.url,
    async workspace(environment = {}) {
      const signedIn = { EBB_ENDPOINT: api.url, EBB_API_KEY: api.adminKey, ...environment };
      const workspace = await createWorkspace(signedIn);
      opened.push(workspace.remove);
      return workspace;
    },
    async mailed(words) {
      for (const until = Date.now() + 60_000; Date.now() < until; await sleep(200)) {
        const lines = (await readFile(join(root, 'api.log'), 'utf8')).split('\n');
        const tokens = lines
          .filter((line) => line.includes(words))
          .map((line) => /#token=([A-Za-z0-9_-]{43})/.exec(line)?.[1]);
        const token = tokens.findLast((one) => one !== undefined && !seen.has(one));
        if (token) {
          seen.add(token);
          return token;
        }
      }
      return assert.fail(`no mail ${words} was sent`);
    },
    makeRepositories(...names) {
      for (const name of names) {
        execFileSync('git', ['init', '-q', '--bare', '-b', 'main', join(api.repositories, `${name}.git`)]);
      }
    },
    async close() {
      for (const close of opened.reverse()) await close();
    },
  };
}

/** Runs a command of Terraform that must succeed; resolves to what it printed. */
export async function succeeds(workspace: Workspace, ...words: string[]): Promise<string> {
  const { code, output } = await workspace.terraform(...words, '-no-color');
  assert.equal(code, 0, output);
  return output;
}

/** Runs one that must fail with an explanation and without a crash; resolves to that, without frame and line breaks. */
export async function explains(workspace: Workspace, ...words: string[]): Promise<string> {
  const { code, output } = await workspace.terraform(...words, '-no-color');
  assert.equal(code, 1, output);
  return explained(output);
}

/** What Terraform printed, without frame and line breaks. Fails on what looks like a crash. */
export function explained(output: string): string {
  assert.doesNotMatch(output, /panic|did not respond|failed unexpectedly|inconsistent|\n\s+at \S+ \(/i);
  return flat(output);
}

/** Applies what is left to do, after which nothing may be left. */
export async function endsClean(workspace: Workspace): Promise<void> {
  await succeeds(workspace, 'apply', '-auto-approve');
  await succeeds(workspace, 'plan', '-detailed-exitcode');
}

/** Projects `p00`, `p01`, … on one connection, each with a key, a hook and a secret. */
export function projectsConfiguration(count: number): string {
  return `
locals {
  names = toset([for number in range(${count}) : format("p%02d", number)])
}
resource "ebb_connection" "local" {
  name = "local"
  kind = "local"
}
resource "ebb_project" "all" {
  for_each      = local.names
  connection_id = ebb_connection.local.id
  name          = each.key
  repository    = each.key
}
resource "ebb_deploy_key" "all" {
  for_each   = local.names
  project_id = ebb_project.all[each.key].id
}
resource "ebb_hook_binding" "all" {
  for_each   = local.names
  project_id = ebb_project.all[each.key].id
}
resource "ebb_secret" "all" {
  for_each         = local.names
  project_id       = ebb_project.all[each.key].id
  name             = "TOKEN"
  value_wo         = "of \${each.key}"
  value_wo_version = 1
}
`;
}

export function projectNames(count: number): string[] {
  return Array.from({ length: count }, (_, number) => `p${String(number).padStart(2, '0')}`);
}
