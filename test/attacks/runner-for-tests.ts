import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type Client, send } from '../../api/test-client.ts';
import type { TestContext } from '../../api/test-context.ts';
import type { BuildSpecification } from '../../contract/runner.ts';
import { reportForTests } from '../../runner/vm/driver-for-tests.ts';
import { proofWithoutDisk } from '../../runner/vm/ramdisk-proof-for-tests.ts';

/** A build as its runner has it. */
export interface ClaimedBuild {
  specification: BuildSpecification;
  holder: string;
  /** Posts to `/v1/builds/ID/WHAT` with the build's token; `attempt` is added unless it is named. */
  report(what: string, body: object, more?: { build?: string; token?: string }): ReturnType<typeof send>;
}

/** Claims a build as a runner that holds its lease, and may report on it. */
export async function claimBuild(
  test: TestContext,
  runner: Client,
  build: string,
  holder = `runner-1/${randomUUID()}`,
): Promise<ClaimedBuild> {
  const answer = await runner.call('POST', `/v1/builds/${build}/claim`, { lease_holder: holder });
  assert.equal(answer.status, 200, answer.text);
  const specification: BuildSpecification = answer.body;
  return {
    specification,
    holder,
    report: (what, body, more = {}) =>
      send(test, {
        method: 'POST',
        url: `/v1/builds/${more.build ?? build}/${what}`,
        headers: { authorization: `Bearer ${more.token ?? specification.token}` },
        payload: { attempt: specification.attempt, ...body },
      }),
  };
}

/** Claims a build and has its VM ready. */
export async function startBuild(test: TestContext, runner: Client, build: string): Promise<ClaimedBuild> {
  const claimed = await claimBuild(test, runner, build);
  const report = reportForTests();
  const ready = { milestone: 'vm_ready', at: report.launched_at, vm: `vm_${randomUUID()}` };
  const { status, text } = await claimed.report('milestones', { ...ready, proof: proofWithoutDisk, report });
  assert.equal(status, 204, text);
  return claimed;
}
