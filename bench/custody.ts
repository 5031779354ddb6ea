import {
  createCipheriv,
  createDecipheriv,
  createHash,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import type { Duplex } from 'node:stream';
import { createCustody } from '../api/custody/custody.ts';
import { createDeployKeySigner } from '../runner/custody/deploy-key-signer.ts';
import { makeKeyEncryptionKeyForTests } from '../runner/custody/key-encryption-key-for-tests.ts';
import { openVault } from '../runner/custody/open.ts';
import { OpenedSecret } from '../runner/custody/opened-secret.ts';
import { createDeployKeyAgent } from '../runner/ssh/deploy-key-agent.ts';
import { makeEd25519 } from '../runner/ssh/ed25519-for-tests.ts';
import { wireString, wireUint32 } from '../runner/ssh/wire.ts';
import { type Measure, median, report, rounded } from './report.ts';

// Sealing, opening and signing as a build has them done, each beside the bare operations of node:crypto on the same bytes:
// ECDH on P-256 with AES-256-GCM, and Ed25519. Both take turns, so that a busy machine is busy for both.
const rounds = Number(process.env.EBB_BENCH_ROUNDS ?? 20);
const perRound = 100;
const seed = randomBytes(32);
const projectId = 'prj_bench';

type Operation = () => unknown;

/** Median microseconds of each, over rounds that take turns. */
async function compare(ebb: Operation, bare: Operation): Promise<{ ebb: number; bare: number }> {
  const times = { ebb: [] as number[], bare: [] as number[] };
  for (let round = -2; round < rounds; round++) {
    for (const [name, operation] of [['ebb', ebb] as const, ['bare', bare] as const]) {
      const began = process.hrtime.bigint();
      for (let count = 0; count < perRound; count++) await operation();
      const each = Number(process.hrtime.bigint() - began) / 1_000 / perRound;
      // The first rounds are for the compiler.
      if (round >= 0) times[name].push(each);
    }
  }
  return { ebb: median(times.ebb), bare: median(times.bare) };
}

function bareSeal(plaintext: Buffer, to: KeyObject) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = createHash('sha256')
    .update(diffieHellman({ privateKey, publicKey: to }))
    .digest();
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  const text = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return { from: publicKey, nonce, text, tag: cipher.getAuthTag() };
}

function bareOpen({ from, nonce, text, tag }: ReturnType<typeof bareSeal>, privateKey: KeyObject): Buffer {
  const key = createHash('sha256')
    .update(diffieHellman({ privateKey, publicKey: from }))
    .digest();
  const decipher = createDecipheriv('aes-256-gcm', key, nonce);
  decipher.setAuthTag(tag);
  return Buffer.concat([decipher.update(text), decipher.final()]);
}

const { key, keyring } = makeKeyEncryptionKeyForTests();
const custody = createCustody({ keyWrapper: key, hookMasterKey: randomBytes(32) });
const project = await custody.createProjectKey(projectId);
const to = { publicKey: project.publicKey, projectId, purpose: 'deploy-key' } as const;
const vault = await openVault({ keyring, wrappedPrivateKey: project.wrappedPrivateKey, projectId });
const sealed = await custody.seal(seed, to);
const bare = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const bareSealed = bareSeal(seed, bare.publicKey);

const sealing = await compare(
  () => custody.seal(seed, to),
  () => bareSeal(seed, bare.publicKey),
);
const opening = await compare(
  async () => (await vault.open(sealed, 'deploy-key')).wipe(),
  () => bareOpen(bareSealed, bare.privateKey),
);
const agent = await openAgent();
const signing = await compare(agent.sign, () => sign(null, agent.data, agent.privateKey));
agent.close();

// jose seals by 10 calls of WebCrypto and opens by 8, and each is a trip to the thread pool, however little it does. That,
// not the arithmetic, is the distance to node:crypto, which stays on its thread.
const trips = async (count: number) => {
  for (let index = 0; index < count; index++) await crypto.subtle.digest('SHA-256', seed);
};
const sealTrips = await compare(
  () => custody.seal(seed, to),
  () => trips(10),
);
const openTrips = await compare(
  async () => (await vault.open(sealed, 'deploy-key')).wipe(),
  () => trips(8),
);

const nodeCrypto = 'bare node:crypto';
report([
  line('seal 32 bytes', sealing, nodeCrypto, 10_000, Number.POSITIVE_INFINITY),
  line('seal 32 bytes', sealTrips, '10 calls of WebCrypto that do next to nothing', 10_000, 3),
  line('open 32 bytes', opening, nodeCrypto, 10_000, Number.POSITIVE_INFINITY),
  line('open 32 bytes', openTrips, '8 calls of WebCrypto that do next to nothing', 10_000, 3),
  line('one signature through the agent', signing, nodeCrypto, 1_000, 8),
]);

/** One measure; `mostUs` and `mostRatio` are its target. */
function line(
  measure: string,
  times: { ebb: number; bare: number },
  against: string,
  mostUs: number,
  mostRatio: number,
): Measure {
  const ratio = times.ebb / times.bare;
  const bounded = Number.isFinite(mostRatio);
  return {
    ...{ bench: 'custody', measure, value: rounded(times.ebb, 1), unit: 'µs' },
    ...{ against: `${against}: ${rounded(times.bare, 1)} µs`, ratio: rounded(ratio) },
    target: `<= ${mostUs} µs${bounded ? `, ratio <= ${mostRatio}` : ''}`,
    met: times.ebb <= mostUs && ratio <= mostRatio,
  };
}

/** The deploy-key agent as the VM reaches it, with a session that the pinned host has signed. */
async function openAgent() {
  const deployKey = makeEd25519();
  const host = makeEd25519();
  const signer = createDeployKeySigner(
    new OpenedSecret(Buffer.from(String(deployKey.privateKey.export({ format: 'jwk' }).d), 'base64url')),
  );
  const served = createDeployKeyAgent({
    publicKey: deployKey.blob,
    sign: (data) => signer.sign(data),
    ...{ user: 'git', hostKeys: [host.blob], maxSigns: Number.POSITIVE_INFINITY },
    onEvent: () => {},
  });
  const stream = await new Promise<Duplex>((resolve, reject) =>
    served.agent.getStream?.((error, opened) =>
      error || !opened ? reject(error) : resolve(opened as Duplex),
    ),
  );
  let answered: (answer: Buffer) => void = () => {};
  stream.on('data', (answer: Buffer) => answered(answer));
  const ask = (message: Buffer) =>
    new Promise<Buffer>((resolve) => {
      answered = resolve;
      stream.write(wireString(message));
    });
  const sessionId = randomBytes(32);
  const proof = wireString(
    Buffer.concat([wireString('ssh-ed25519'), wireString(sign(null, sessionId, host.privateKey))]),
  );
  const extension = [wireString('session-bind@openssh.com'), wireString(host.blob), wireString(sessionId)];
  const bound = await ask(Buffer.concat([Buffer.of(27), ...extension, proof, Buffer.of(0)]));
  if (bound[4] !== 6) throw new Error('The agent did not take the session.');
  const fields = ['git', 'ssh-connection', 'publickey-hostbound-v00@openssh.com'].map((text) =>
    wireString(text),
  );
  const keys = [wireString('ssh-ed25519'), wireString(deployKey.blob), wireString(host.blob)];
  const data = Buffer.concat([wireString(sessionId), Buffer.of(50), ...fields, Buffer.of(1), ...keys]);
  const request = Buffer.concat([Buffer.of(13), wireString(deployKey.blob), wireString(data), wireUint32(0)]);
  return {
    data,
    privateKey: deployKey.privateKey,
    async sign() {
      const answer = await ask(request);
      if (answer[4] !== 14) throw new Error('The agent did not sign.');
    },
    close() {
      served.revoke();
      signer.close();
    },
  };
}
