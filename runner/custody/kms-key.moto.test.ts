import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CreateKeyCommand, EncryptCommand, KMSClient } from '@aws-sdk/client-kms';
import { type Moto, startMoto } from '../vm/ec2/moto-for-tests.ts';
import { makeKeyEncryptionKeyForTests } from './key-encryption-key-for-tests.ts';
import { decryptKeyEncryptionKey } from './kms-key.ts';

const region = 'eu-central-1';
const key = makeKeyEncryptionKeyForTests();
let moto: Moto;
let client: KMSClient;
let keyId: string;

before(async () => {
  moto = await startMoto();
  client = new KMSClient({ region, endpoint: moto.url });
  const { KeyMetadata } = await client.send(new CreateKeyCommand({}));
  keyId = KeyMetadata?.KeyId ?? '';
});
after(async () => {
  client.destroy();
  await moto.close();
});

/** As the guide has an operator do it. */
async function encrypt(text: string, deployment = 'ebb'): Promise<string> {
  const command = new EncryptCommand({
    KeyId: keyId,
    Plaintext: Buffer.from(text),
    EncryptionContext: { 'ebb:deployment': deployment },
  });
  const { CiphertextBlob = new Uint8Array() } = await client.send(command);
  return Buffer.from(CiphertextBlob).toString('base64');
}
const decrypt = (ciphertext: string, deployment = 'ebb') =>
  decryptKeyEncryptionKey({
    ciphertext,
    deployment,
    region,
    endpoint: moto.url,
    signal: AbortSignal.timeout(20_000),
  });

test('the key that was encrypted for a deployment is decrypted for it', async () => {
  assert.deepEqual(await decrypt(await encrypt(JSON.stringify(key.privateKey))), key.privateKey);
});

test('for another deployment it is refused, with what to look at', async () => {
  const ciphertext = await encrypt(JSON.stringify(key.privateKey), 'another');
  await assert.rejects(decrypt(ciphertext), /did not decrypt EBB_KMS_CIPHERTEXT.*EBB_EC2_DEPLOYMENT=ebb/);
});

test('what is no key is refused without being shown', async () => {
  await assert.rejects(decrypt(await encrypt('hush')), (error: Error) => {
    assert.match(error.message, /is no private EC P-256 JWK/);
    assert.doesNotMatch(error.message, /hush/);
    return true;
  });
});
