import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client } from '../client/client.ts';
import { DiagnosticError } from '../plugin/diagnostic.ts';
import { buildAction } from './build.ts';

const projectId = `prj_${'0'.repeat(26)}`;
const config = { project_id: projectId, branch: 'main', commit: null };
const signal = new AbortController().signal;

/** An API that answers with one state of the build after the other. */
function clientThatTells(...states: object[]) {
  const requests: string[] = [];
  const unused = () => assert.fail('not called in this test');
  const client: Client = {
    ...{ signIn: unused, issueToken: unused, renewToken: unused, revokeToken: unused, recorded: unused },
    async request({ method, path, body = '' }) {
      requests.push(`${method} ${path} ${body}`.trim());
      const build = { id: 'bld_1', number: 7, reason: null, ...states.shift() };
      return { status: 200, etag: null, receipt: null, text: JSON.stringify(build) };
    },
  };
  return { client, requests };
}

async function linesOf(told: AsyncIterable<string>): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of told) lines.push(line);
  return lines;
}

test('a build is started with what is given, and told until it passed', async () => {
  const { client, requests } = clientThatTells({ state: 'queued' }, { state: 'passed' });
  const told = await linesOf(buildAction.invoke({ config, client, signal }));
  assert.deepEqual(told, ['build 7 (bld_1) is queued', 'build 7 (bld_1) is passed']);
  const body = JSON.stringify({ project_id: projectId, branch: 'main' });
  assert.deepEqual(requests, [`POST /v1/builds ${body}`, 'GET /v1/builds/bld_1']);
});

test('a build that does not pass fails the action, with the reason', async () => {
  const { client } = clientThatTells({ state: 'errored', reason: 'There is no such branch.' });
  await assert.rejects(
    () => linesOf(buildAction.invoke({ config, client, signal })),
    (error) =>
      error instanceof DiagnosticError &&
      /did not pass.*is errored: There is no such branch\..*ebb logs bld_1/.test(error.message),
  );
});

test('what the API would refuse is refused before anything is built', () => {
  const problems = buildAction.validate?.({ ...config, branch: 'no branch', commit: 'abc' }) ?? [];
  assert.deepEqual(
    problems.map(({ path }) => path),
    [['branch'], ['commit']],
  );
});
