import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makePlan } from './plan.ts';

const wanted = { builds: 300, projects: 40, runners: 3, lastsMs: 600_000 };

test('a seed gives the same plan each time, and another seed another one', () => {
  const plan = makePlan({ ...wanted, seed: 7 });
  assert.deepEqual(makePlan({ ...wanted, seed: 7 }), plan);
  assert.notDeepEqual(makePlan({ ...wanted, seed: 8 }), plan);
});

test('a long plan has every kind of fault, and all builds in the order they come', () => {
  const { faults, builds } = makePlan({ ...wanted, seed: 7 });
  assert.deepEqual([...new Set(faults.map(({ fault }) => fault.kind))].sort(), [
    'cancel',
    'cut',
    'delay',
    'freeze_runner',
    'kill_api',
    'kill_postgres',
    'kill_redis',
    'kill_runner',
    'kill_vm',
    'replace_runner',
  ]);
  assert.equal(builds.length, wanted.builds);
  assert.ok(builds.every(({ at }, index) => at >= (builds[index - 1]?.at ?? 0)));
});
