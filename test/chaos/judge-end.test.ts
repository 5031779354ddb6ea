import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BuildState } from '../../contract/build.ts';
import type { Inflicted } from './cause-chaos.ts';
import { type EndedBuild, judgeEnd } from './judge-end.ts';

const second = 1_000;
const step = (state: BuildState, attempt: number, at: number, holder: string | null = 'a/1') => ({
  ...{ build: 'bld_1', version: at, state, attempt, at: at * second, holder },
});
const passed: EndedBuild = {
  ...{ id: 'bld_1', state: 'passed', reason: null, losses: [], deployments: 1, cancelled: false },
  past: [
    step('queued', 0, 0, null),
    step('starting', 1, 100),
    step('running', 1, 101),
    step('passed', 1, 110),
  ],
  project: { fails: false, deploys: true },
};
const cut = (from: number): Inflicted => ({
  ...{ fault: { kind: 'cut', link: 'runner-vm' }, from: from * second, to: from * second },
});
const vmLost = 'The VM was lost: The connection ended.';
const lostOnce: EndedBuild = {
  ...passed,
  losses: [vmLost],
  past: [
    ...[step('queued', 0, 0, null), step('starting', 1, 100), step('queued', 1, 120, null)],
    ...[step('starting', 2, 500), step('running', 2, 501), step('passed', 2, 510)],
  ],
};
const inDeployment: EndedBuild = {
  ...passed,
  state: 'errored',
  reason: `${vmLost} This happened during the deployment, which Ebb never runs twice. See how far it got, then build again.`,
};

test('a build that ends as its commands do is right, and one that does not is found', () => {
  assert.deepEqual(judgeEnd(passed, []), []);
  for (const state of ['failed', 'cancelled', 'timed_out', 'errored'] as const)
    assert.match(judgeEnd({ ...passed, state }, []).join(), /may end passed only/);
  const cancelled = { ...passed, state: 'cancelled' as const, deployments: 0, cancelled: true };
  assert.deepEqual(judgeEnd(cancelled, []), []);
});

test('a loss is right when what can cause it came to pass about then, and is found when nothing did', () => {
  assert.deepEqual(judgeEnd(lostOnce, [cut(110)]), []);
  for (const inflicted of [[], [cut(130)], [cut(20)]])
    assert.match(judgeEnd(lostOnce, inflicted).join(), /attempt 1 .* nothing that went wrong explains it/);
  const unknown = { ...lostOnce, losses: ['Something else.'] };
  assert.match(judgeEnd(unknown, [cut(110)]).join(), /nothing that went wrong explains it: Something else/);
});

test('a build may end errored when it was lost in its deployment, but not when it has none', () => {
  assert.deepEqual(judgeEnd(inDeployment, [cut(105)]), []);
  assert.match(judgeEnd(inDeployment, []).join(), /explains it/);
  const none = { ...inDeployment, deployments: 0, project: { fails: false, deploys: false } };
  assert.match(judgeEnd(none, [cut(105)]).join(), /ended errored/);
});

test('a build may end errored when it was lost three times, but not before', () => {
  const reason = `Lost on each of 3 VMs: 1. ${vmLost} 2. ${vmLost} 3. ${vmLost} Given up after 3 attempts. Start it again.`;
  const past = [1, 2, 3].flatMap((attempt) => [
    step('starting', attempt, attempt * 10),
    step(attempt < 3 ? 'queued' : 'errored', attempt, attempt * 10 + 5),
  ]);
  const thrice: EndedBuild = { ...passed, state: 'errored', reason, losses: [vmLost, vmLost], past };
  assert.deepEqual(judgeEnd({ ...thrice, deployments: 0 }, [cut(12), cut(22), cut(32)]), []);
  assert.match(judgeEnd({ ...thrice, past: past.slice(0, 4) }, [cut(12)]).join(), /ended errored/);
});

test('a build may end errored when its source host was away, and something was done to the API that has it', () => {
  const reason =
    'The source host 127.0.0.1:22 could not be reached from the VM. Check that it is up, then start the build again.';
  const away: EndedBuild = { ...passed, state: 'errored', reason, deployments: 0 };
  const killed: Inflicted = { fault: { kind: 'kill_api', backAfter: 1 }, from: 100_000, to: 105_000 };
  assert.deepEqual(judgeEnd(away, [killed]), []);
  assert.match(judgeEnd(away, [cut(105)]).join(), /explains it/);
});

test('a deployment that ran twice, where there is none, or not at all, is found', () => {
  assert.match(judgeEnd({ ...passed, deployments: 2 }, []).join(), /deployed 2 times/);
  assert.match(judgeEnd({ ...passed, deployments: 0 }, []).join(), /passed without its deployment/);
  const none = { ...passed, project: { fails: false, deploys: false } };
  assert.match(judgeEnd(none, []).join(), /its project does not/);
});
