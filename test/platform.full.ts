import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startMoto } from '../runner/vm/ec2/moto-for-tests.ts';
import type { TerraformStack } from '../stacks/cdktf.ts';
import { DbParameterGroup, EcsService } from '../stacks/platform/aws.ts';
import { Core } from '../stacks/platform/core.ts';
import { Database } from '../stacks/platform/database.ts';
import { Service } from '../stacks/platform/service.ts';
import { settle } from '../stacks/platform/settings.ts';
import { makeTestStack, sampleProps } from './platform-for-tests.ts';

// Takes minutes: npm run test:platform-full. Redis is left out, because moto has no replication groups.
test('all of a platform that the emulator knows is applied, plans no change and is destroyed', async (t) => {
  const moto = await startMoto();
  t.after(() => moto.close());
  const certificateArn = await requestCertificate(moto.url, sampleProps.hostName);
  const stack = await makeTestStack((scope) => {
    const settings = settle({
      ...sampleProps,
      certificateArn,
      machineImage: moto.imageId,
      // A protected one could not be destroyed.
      database: { protected: false },
    });
    const core = new Core(scope, 'core', settings);
    new Database(scope, 'database', settings, core);
    new Service(scope, 'service', settings, core);
    leaveOutWhatTheEmulatorForgets(scope);
  }, moto.url);
  t.after(() => stack.remove());
  await stack.terraform.run(['apply', '-auto-approve', '-input=false']);
  const again = await stack.terraform.run(['plan', '-detailed-exitcode', '-input=false'], [0, 2]);
  assert.equal(again.code, 0, again.output);
  await stack.terraform.run(['destroy', '-auto-approve', '-input=false']);
});

/** moto gives back neither the parameters of a group nor where a service's tasks are spread. */
function leaveOutWhatTheEmulatorForgets(scope: TerraformStack): void {
  for (const resource of scope.node.findAll()) {
    if (resource instanceof DbParameterGroup) resource.addOverride('lifecycle.ignore_changes', ['parameter']);
    if (resource instanceof EcsService)
      resource.addOverride('lifecycle.ignore_changes', ['availability_zone_rebalancing']);
  }
}

/** By hand, for the SDK of one more service would be there for this call alone. moto checks no signature. */
async function requestCertificate(url: string, domainName: string): Promise<string> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'CertificateManager.RequestCertificate',
      authorization:
        'AWS4-HMAC-SHA256 Credential=test/20260101/eu-central-1/acm/aws4_request, SignedHeaders=host, Signature=0',
    },
    body: JSON.stringify({ DomainName: domainName, ValidationMethod: 'DNS' }),
    signal: AbortSignal.timeout(10_000),
  });
  return ((await answer.json()) as { CertificateArn: string }).CertificateArn;
}
