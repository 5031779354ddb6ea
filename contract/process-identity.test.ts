import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { endProcess, isAlive, type ProcessIdentity, processIdentity } from './process-identity.ts';

async function startProcess() {
  const child = spawn('sleep', ['600'], { stdio: 'ignore' });
  const exit = once(child, 'exit');
  await once(child, 'spawn');
  const identity = (await processIdentity(child.pid as number)) as ProcessIdentity;
  return { child, exit, identity };
}

test('a process is known as long as it runs', async () => {
  const { child, exit, identity } = await startProcess();
  assert.equal(await isAlive(identity), true);
  child.kill('SIGKILL');
  await exit;
  assert.equal(await isAlive(identity), false);
  assert.equal(await processIdentity(identity.pid), undefined);
});

test('ending a process waits until it is gone', async () => {
  const { exit, identity } = await startProcess();
  await endProcess(identity);
  assert.equal(await isAlive(identity), false);
  await exit;
  await endProcess(identity);
});

test('another process with the same number is never ended', async () => {
  const { child, exit, identity } = await startProcess();
  try {
    for (const startedAt of [identity.startedAt.replace(/.$/, (digit) => `${(+digit + 1) % 10}`), '']) {
      await endProcess({ ...identity, startedAt });
      assert.equal(await isAlive(identity), true);
    }
  } finally {
    child.kill('SIGKILL');
    await exit;
  }
});
