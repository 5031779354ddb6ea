import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { createCustody } from '../../api/custody/custody.ts';
import { createKmsKeyWrapper } from '../../contract/custody/kms.ts';
import { type Moto, startMoto } from '../vm/ec2/moto-for-tests.ts';
import { makeKeyEncryptionKeyForTests } from './key-encryption-key-for-tests.ts';
import { createKeyring, type Keyring } from './keyring.ts';
import { createKmsKey } from './kms-key.ts';
import { openVault } from './open.ts';

// What the emulator cannot show: which role may do what in which context. stacks/platform/platform.test.ts looks at the
// policies that say so.
const projectId = 'prj_shop';
let moto: Moto;
let client: KMSClient;
let arn: string;

before(async () => {
  moto = await startMoto();
  client = new KMSClient({ region: 'eu-central-1', endpoint: moto.url });
  arn = await makeKey();
});
after(async () => {
  client?.destroy();
  await moto?.close();
});

async function makeKey(): Promise<string> {
  const { KeyMetadata } = await client.send(new CreateKeyCommand({}));
  return KeyMetadata?.Arn ?? '';
}
const at = (change: { arn?: string; deployment?: string; endpoint?: string } = {}) => ({
  ...{ arn, deployment: 'ebb', endpoint: moto.url },
  ...change,
});
/** A project whose key AWS KMS wraps for the API, with a sealed value. */
async function project(options = at()) {
  const custody = createCustody({ keyWrapper: createKmsKeyWrapper(options), hookMasterKey: randomBytes(32) });
  const { publicKey, wrappedPrivateKey } = await custody.createProjectKey(projectId);
  const to = { publicKey, projectId, purpose: 'deploy-key' } as const;
  return { projectId, wrappedPrivateKey, sealed: await custody.seal(Buffer.from('hush'), to) };
}
async function open(shop: Awaited<ReturnType<typeof project>>, keyring: Keyring): Promise<string> {
  const vault = await openVault({ keyring, ...shop });
  return (await vault.open(shop.sealed, 'deploy-key')).use((bytes) => bytes.toString());
}
const refusal = (code: string, sentence: RegExp) => ({ name: 'CustodyError', code, message: sentence });

describe('with a key of AWS KMS', () => {
  test('what the API had wrapped the runner has unwrapped', async () => {
    const shop = await project();
    assert.ok(shop.wrappedPrivateKey.startsWith(`aws-kms:${arn} `));
    assert.equal(await open(shop, createKeyring(createKmsKey(at()))), 'hush');
  });

  test('nothing is unwrapped for another project or another installation', async () => {
    const shop = await project();
    const elsewhere = refusal('wrong_context', /damaged, or was wrapped for another project or another inst/);
    const bank = { ...shop, projectId: 'prj_bank' };
    await assert.rejects(open(bank, createKeyring(createKmsKey(at()))), elsewhere);
    await assert.rejects(open(shop, createKeyring(createKmsKey(at({ deployment: 'other' })))), elsewhere);
  });

  test('nothing that is cut off or changed is unwrapped', async () => {
    const shop = await project();
    const keyring = createKeyring(createKmsKey(at()));
    const cut = (wrappedPrivateKey: string) => open({ ...shop, wrappedPrivateKey }, keyring);
    await assert.rejects(cut(`aws-kms:${arn} `), refusal('damaged', /is cut off/));
    await assert.rejects(cut(shop.wrappedPrivateKey.slice(0, -8)), { name: 'CustodyError' });
    const [id, payload = ''] = shop.wrappedPrivateKey.split(' ');
    const bytes = Buffer.from(payload, 'base64url');
    bytes.writeUInt8((bytes.at(-1) ?? 0) ^ 1, bytes.length - 1);
    await assert.rejects(
      cut(`${id} ${bytes.toString('base64url')}`),
      refusal('wrong_context', /InvalidCiphertextException/),
    );
  });

  test('the runner decides which key unwraps, not the text', async () => {
    const shop = await project();
    const other = await makeKey();
    const otherRing = createKeyring(createKmsKey(at({ arn: other })));
    await assert.rejects(open(shop, otherRing), refusal('wrong_key', /which this runner does not have/));
    const [, payload] = shop.wrappedPrivateKey.split(' ');
    const relabelled = { ...shop, wrappedPrivateKey: `aws-kms:${other} ${payload}` };
    await assert.rejects(open(relabelled, otherRing), { name: 'CustodyError' });
  });

  test('what a file wrapped before is unwrapped beside it', async () => {
    const before = makeKeyEncryptionKeyForTests();
    const custody = createCustody({ keyWrapper: before.key, hookMasterKey: randomBytes(32) });
    const { publicKey, wrappedPrivateKey } = await custody.createProjectKey(projectId);
    const to = { publicKey, projectId, purpose: 'deploy-key' } as const;
    const shop = { projectId, wrappedPrivateKey, sealed: await custody.seal(Buffer.from('hush'), to) };
    assert.equal(await open(shop, createKeyring(createKmsKey(at()), [before.key])), 'hush');
  });

  test('a key that was never there is named', async () => {
    const none = 'arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000';
    await assert.rejects(
      project(at({ arn: none })),
      refusal('not_allowed', /there is no such key \(NotFound/),
    );
  });
});

describe('when AWS KMS does not answer well', () => {
  /** KMS as long as `answer` does not answer instead. */
  async function withFaults(
    answer: (count: number, response: ServerResponse) => boolean,
    use: (endpoint: string) => Promise<unknown>,
  ) {
    let count = 0;
    const server = createServer(async (request, response) => {
      const body = await request.toArray();
      count += 1;
      if (answer(count, response)) return;
      const headers = { ...request.headers } as Record<string, string>;
      for (const name of ['host', 'connection', 'content-length', 'expect']) delete headers[name];
      const whole = await fetch(moto.url, { method: 'POST', headers, body: Buffer.concat(body) });
      response.writeHead(whole.status, { 'content-type': 'application/x-amz-json-1.1' });
      response.end(await whole.text());
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    } finally {
      server.closeAllConnections();
      server.close();
    }
    return count;
  }
  const refuse = (response: ServerResponse, __type = 'ThrottlingException'): true => {
    const headers = { 'content-type': 'application/x-amz-json-1.1' };
    response.writeHead(400, headers).end(JSON.stringify({ __type, message: 'No.' }));
    return true;
  };

  test('throttling and dropped connections are tried again', async () => {
    const shop = await project();
    const calls = await withFaults(
      (count, response) => {
        if (count === 1) return refuse(response);
        if (count === 2) response.socket?.destroy();
        return count === 2;
      },
      async (endpoint) =>
        assert.equal(await open(shop, createKeyring(createKmsKey(at({ endpoint })))), 'hush'),
    );
    assert.equal(calls, 3);
  });

  test('after some tries it is said that the service is away, which a build is tried again for', async () => {
    const shop = await project();
    const calls = await withFaults(
      (_, response) => refuse(response),
      (endpoint) =>
        assert.rejects(
          open(shop, createKeyring(createKmsKey(at({ endpoint })))),
          refusal('unavailable', /did not answer or had no capacity \(ThrottlingException/),
        ),
    );
    assert.equal(calls, 4);
  });

  test('who waits for an answer that does not come may give up', async () => {
    const shop = await project();
    const stop = new AbortController();
    await withFaults(
      () => {
        stop.abort(new Error('given up'));
        return true;
      },
      async (endpoint) => {
        const keyring = createKeyring(createKmsKey(at({ endpoint })));
        await assert.rejects(openVault({ keyring, ...shop, signal: stop.signal }), /given up/);
      },
    );
  });

  test('what it refuses is told by its reason, at once', async () => {
    const shop = await project();
    const refusals = {
      AccessDeniedException: /this role may not do it with this key in this context/,
      DisabledException: /the key is disabled/,
      KMSInvalidStateException: /waits for its deletion/,
      IncorrectKeyException: /another key wrapped it/,
    };
    for (const [name, sentence] of Object.entries(refusals)) {
      const calls = await withFaults(
        (_, response) => refuse(response, name),
        (endpoint) =>
          assert.rejects(open(shop, createKeyring(createKmsKey(at({ endpoint })))), { message: sentence }),
      );
      assert.equal(calls, 1);
    }
  });
});
