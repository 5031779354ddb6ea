import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import pino from 'pino';
import { gitEnvironment } from './run-git.ts';
import { type LocalSourceHost, startLocalSourceHost } from './start-local-source-host.ts';

let root: string;
let local: LocalSourceHost;
let commit: string;
const signal = AbortSignal.timeout(60_000);

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'ebb-refs-'));
  local = await startLocalSourceHost({ root, port: 0, logger: pino({ level: 'silent' }) });
  await local.createRepository('shop');
  const tree = await git('mktree');
  commit = await git('commit-tree', '-m', 'First', tree);
  await git('update-ref', 'refs/heads/main', commit);
});
after(async () => {
  await local?.close();
  await rm(root, { recursive: true, force: true });
});

const folder = () => join(root, 'repositories', 'shop.git');
const person = { NAME: 'Ada', EMAIL: 'ada@example.com' };
async function git(...args: string[]): Promise<string> {
  const names = Object.entries(person).flatMap(([name, value]) =>
    ['AUTHOR', 'COMMITTER'].map((who) => [`GIT_${who}_${name}`, value]),
  );
  const env = { ...gitEnvironment(process.env.PATH ?? ''), ...Object.fromEntries(names) };
  const running = promisify(execFile)('git', ['-C', folder(), ...args], { env });
  running.child.stdin?.end();
  return (await running).stdout.trim();
}
const resolve = (ref: string, until = signal) => local.host.resolveRef('shop', ref, until);

test('a tag is resolved to its commit, also one of a tag, and one of a file to nothing', async () => {
  await git('tag', 'light');
  await git('tag', '-a', '-m', 'One', 'one', commit);
  await git('tag', '-a', '-m', 'Two', 'two', 'one');
  await git('tag', 'tree', `${commit}^{tree}`);
  for (const name of ['light', 'one', 'two'])
    assert.deepEqual(await resolve(`refs/tags/${name}`), { commit });
  assert.equal(await resolve('refs/tags/tree'), undefined);
});

test('who asks after a push is told of it, however many ask at once', async () => {
  const asked = [resolve('refs/heads/main'), resolve('refs/heads/main')];
  const pushed = await git('commit-tree', '-m', 'Second', '-p', commit, `${commit}^{tree}`);
  await git('update-ref', 'refs/heads/main', pushed);
  const later = Array.from({ length: 20 }, () => resolve('refs/heads/main'));
  for (const found of await Promise.all(later)) assert.deepEqual(found, { commit: pushed });
  await Promise.all(asked);
});

test('who gives up waits no longer, and the others are answered', async () => {
  const gone = new AbortController();
  const [left, stayed] = [resolve('refs/heads/main', gone.signal), resolve('refs/heads/main')];
  gone.abort();
  await assert.rejects(left, { name: 'AbortError' });
  assert.ok(await stayed);
});
