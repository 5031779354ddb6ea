import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codesOf, soundMachine } from './doctor-for-tests.ts';
import { machineFindings, thisMachine } from './machine-findings.ts';

const swapping = async () =>
  'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/sda2                               partition\t8388604\t\t0\t\t-2\n';
const limits = (soft: string, hard: string) => async () =>
  `Limit                     Soft Limit           Hard Limit           Units\nMax core file size        ${soft.padEnd(20)} ${hard.padEnd(20)} bytes\n`;
const cannot = async (): Promise<void> => {
  throw new Error('prlimit is not there');
};

test('a machine without swap and core dumps is fine, for another user than root', async () => {
  assert.deepEqual(await machineFindings(soundMachine), []);
});

test('swap is found with what the machine swaps to', async () => {
  const [found] = await machineFindings({ ...soundMachine, readSwaps: swapping });
  assert.deepEqual([found?.code, found?.what], ['machine_swaps', 'This machine swaps to /dev/sda2.']);
});

test('core dumps are found where nothing can forbid them', async () => {
  const at = (soft: string, hard: string, forbidCoreDumps = cannot) =>
    machineFindings({ ...soundMachine, readLimits: limits(soft, hard), forbidCoreDumps });
  assert.deepEqual(codesOf(await at('unlimited', 'unlimited')), ['core_dumps_on']);
  // A process may raise its soft limit.
  assert.deepEqual(codesOf(await at('0', 'unlimited')), ['core_dumps_on']);
  assert.deepEqual(await at('0', '0'), []);
  assert.deepEqual(await at('unlimited', 'unlimited', async () => {}), []);
});

test('root is found', async () => {
  assert.deepEqual(codesOf(await machineFindings({ ...soundMachine, userId: 0 })), ['runs_as_root']);
});

test('of this machine everything can be read', { skip: process.platform !== 'linux' }, async () => {
  assert.match(await thisMachine.readSwaps(), /^Filename/);
  assert.match(await thisMachine.readLimits(), /^Max core file size +\S+ +\S+/m);
});
