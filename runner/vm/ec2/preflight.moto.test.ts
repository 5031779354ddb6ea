import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { RequestLaunchTemplateData } from '@aws-sdk/client-ec2';
import { type Ec2Rig, openEc2Rig } from './ec2-rig-for-tests.ts';
import type { Fault } from './fault-proxy.ts';
import { imageProblems, type PreflightError, preflight } from './preflight.ts';

describe('the check of the AWS account before the first build', () => {
  let rig: Ec2Rig;
  before(async () => {
    rig = await openEc2Rig();
  });
  after(() => rig?.close());

  async function check(
    options: { change?: RequestLaunchTemplateData; types?: string[]; fault?: Fault } = {},
  ) {
    const { change, types = ['c5.large'], fault = 'none' } = options;
    const { options: context } = await rig.openDriver({
      template: { id: change ? await rig.moto.createTemplate(change) : rig.templateId, version: '$Latest' },
      fault: (action) => (action === 'RunInstances' ? fault : 'none'),
    });
    const [subnet = ''] = rig.moto.subnets;
    const first = { instanceType: types[0] ?? '', subnet, spot: false };
    await preflight(context, { instanceTypes: types, first }, AbortSignal.timeout(20_000));
  }

  test('lets the template of the platform stack pass', async () => {
    await check();
  });

  test('refuses a template that breaks a promise, with the name of the setting and the fix', async () => {
    const cases: [RequestLaunchTemplateData, RegExp][] = [
      [{ MetadataOptions: { HttpTokens: 'optional' } }, /MetadataOptions\.HttpTokens must be "required"/],
      [
        { InstanceInitiatedShutdownBehavior: 'stop' },
        /InstanceInitiatedShutdownBehavior must be "terminate"/,
      ],
      [
        { NetworkInterfaces: [{ DeviceIndex: 0, AssociatePublicIpAddress: true }] },
        /AssociatePublicIpAddress must be false/,
      ],
      [{ IamInstanceProfile: { Name: 'admin' } }, /IamInstanceProfile must be left out/],
      [{ KeyName: 'mine' }, /KeyName must be left out/],
      [{ ImageId: 'ami-00000000000000000' }, /there is no image ami-0/],
    ];
    for (const [change, message] of cases) {
      await assert.rejects(check({ change }), (error: Error) => {
        assert.ok(error instanceof Error);
        assert.match(error.message, message);
        assert.match(error.message, /EBB_EC2_LAUNCH_TEMPLATE/);
        return true;
      });
    }
  });

  test('names every problem at once', async () => {
    await assert.rejects(
      check({ change: { KeyName: 'mine', InstanceInitiatedShutdownBehavior: 'stop' }, types: ['z9.huge'] }),
      (error: PreflightError) =>
        error.problems.length === 3 && /there is no instance type z9\.huge/.test(error.message),
    );
  });

  test('refuses when the role may not launch', async () => {
    await assert.rejects(
      check({ fault: 'unauthorized' }),
      /UnauthorizedOperation.*Allow it to the runner's role/,
    );
  });
});

test('an image that Ebb did not build, or that does not boot by UEFI, is refused', () => {
  const tags = { 'ebb:image-digest': 'a' };
  assert.deepEqual(imageProblems('ami-1', { bootMode: 'uefi', tags }), []);
  assert.match(imageProblems('ami-1', { bootMode: 'uefi', tags: {} }).join(), /ebb image publish/);
  assert.match(imageProblems('ami-1', { bootMode: 'legacy-bios', tags }).join(), /must be uefi/);
  assert.match(imageProblems(undefined, undefined).join(), /ImageId is missing/);
});
