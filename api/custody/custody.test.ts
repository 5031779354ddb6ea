import assert from 'node:assert/strict';
import { generateKeyPairSync, hkdfSync, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { createFileKeyWrapper } from '../../contract/custody/key-wrapper.ts';
import { createCustody } from './custody.ts';

test('hook secrets and connection keys are derived by HKDF, each for its id alone', () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const hookMasterKey = randomBytes(32);
  const custody = createCustody({
    keyWrapper: createFileKeyWrapper(publicKey.export({ format: 'jwk' })),
    hookMasterKey,
  });
  const expected = (purpose: string) =>
    Buffer.from(hkdfSync('sha256', hookMasterKey, Buffer.alloc(0), purpose, 32));
  assert.deepEqual(custody.hookSecret('hook_1'), expected('ebb hook secret hook_1'));
  assert.deepEqual(custody.connectionKey('conn_1'), expected('ebb connection credential conn_1'));
  assert.notDeepEqual(custody.hookSecret('hook_2'), custody.hookSecret('hook_1'));
});
