import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ec2Error, toEc2Error } from './ec2-error.ts';

const said = (name: string, status?: number, message = 'Because.') =>
  Object.assign(new Error(message), { name, ...(status ? { $metadata: { httpStatusCode: status } } : {}) });
const kind = (...words: Parameters<typeof said>) => toEc2Error('RunInstances', said(...words)).kind;

test('each class of error has its kind', () => {
  assert.equal(kind('InsufficientInstanceCapacity', 500), 'capacity');
  assert.equal(kind('VcpuLimitExceeded', 400), 'quota');
  assert.equal(kind('RequestLimitExceeded', 503), 'throttled');
  assert.equal(kind('ExpiredToken', 400), 'credentials');
  assert.equal(kind('UnauthorizedOperation', 403), 'permission');
  assert.equal(kind('InvalidInstanceID.NotFound', 400), 'gone');
});

test('an unknown refusal is about a setting, everything else may have been carried out', () => {
  assert.equal(kind('InvalidSomething.New', 400), 'setting');
  assert.equal(kind('Unavailable', 503), 'unanswered');
  assert.equal(kind('TimeoutError'), 'unanswered');
  assert.equal(kind('SyntaxError', 200), 'unanswered');
});

test('the message says the call, the answer and the setting to change, on one line', () => {
  const error = toEc2Error('RunInstances', said('InvalidSubnetID.NotFound', 400, 'No subnet x\nmore'), {
    InvalidSubnet: 'EBB_EC2_SUBNETS',
  });
  assert.equal(
    error.message,
    'EC2 RunInstances: InvalidSubnetID.NotFound: No subnet x Check EBB_EC2_SUBNETS.',
  );
  assert.ok(error instanceof Ec2Error);
  assert.equal(error.code, 'setting');
});
