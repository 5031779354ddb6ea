import assert from 'node:assert/strict';
import { test } from 'node:test';
import { revokeProject } from '../../api/revocation/revoke-for-tests.ts';
import { openSetting } from '../../api/revocation/test-setting.ts';
import { describeReceipt, verifyReceipt } from './verify-receipt.ts';

test('the receipt of a project that was really revoked holds against the published keys', async (t) => {
  const setting = await openSetting();
  t.after(() => setting.close());
  const team = await setting.addTeam('acme');
  const projectId = await setting.addProject(team, 'shop');
  const body = { project_id: projectId };
  const key = await setting.call(team.token, 'POST', '/v1/deploy-keys', body);
  await setting.call(team.token, 'POST', '/v1/hook-bindings', body);
  const { receiptId } = await revokeProject(setting.context, projectId, AbortSignal.timeout(20_000));
  const receipt = await setting.call(team.token, 'GET', `/v1/receipts/${receiptId}`);
  const jwks = await setting.call(team.token, 'GET', '/.well-known/jwks.json');
  const verdict = verifyReceipt({ envelope: receipt.body.envelope, jwks: jwks.body });
  assert.ok(verdict.ok, verdict.ok ? '' : verdict.problem);
  assert.ok(describeReceipt(verdict.statement).includes(`deploy key: ${key.body.fingerprint}`));
});
