import { createPublicKey, type KeyObject } from 'node:crypto';
import { readWire, sized, u8, u16, u32, type WireReader } from './wire.ts';

/** Takes a command and gives the TPM's answer, both as bytes. */
export type TpmTransport = (command: Buffer) => Promise<Buffer>;

/** A quote as the TPM gave it: what it says, and its signature over that. */
export interface Quote {
  /** TPMS_ATTEST. */
  attested: Buffer;
  /** TPMT_SIGNATURE. */
  signature: Buffer;
}

/** Where the attestation key stays in a VM's TPM. */
export const attestationKeyHandle = 0x81000001;

export const algorithm = { sha1: 0x04, sha256: 0x0b, sha384: 0x0c, sha512: 0x0d, none: 0x10, ecdsa: 0x18 };
const ecc = 0x23;
const curveP256 = 3;
const hierarchy = { owner: 0x40000001, endorsement: 0x4000000b, platform: 0x4000000c };
// A session with an empty password, as all hierarchies of a new TPM have it.
const emptyPassword = Buffer.concat([u32(0x40000009), u16(0), u8(0), u16(0)]);
const tag = { noSessions: 0x8001, sessions: 0x8002 };
const code = {
  evictControl: 0x120,
  pcrAllocate: 0x12b,
  createPrimary: 0x131,
  shutdown: 0x145,
  quote: 0x158,
};
// Made in this TPM and bound to it; signs only what the TPM itself says, never bytes that somebody made look like it.
const attributes = {
  fixedTpm: 1 << 1,
  fixedParent: 1 << 4,
  sensitiveDataOrigin: 1 << 5,
  userWithAuth: 1 << 6,
  noDictionaryAttack: 1 << 10,
  restricted: 1 << 16,
  sign: 1 << 18,
};

/** The TPM refused a command, or did not answer in its form. */
export class TpmError extends Error {
  override name = 'TpmError';
}

/**
 * Makes a restricted ECDSA P-256 signing key in the endorsement hierarchy, keeps it at `attestationKeyHandle`, and gives
 * its public half. Throws TpmError.
 *
 * @see https://trustedcomputinggroup.org/resource/tpm-library-specification/ part 3, TPM2_CreatePrimary, TPM2_EvictControl
 */
export async function createAttestationKey(tpm: TpmTransport): Promise<KeyObject> {
  const template = Buffer.concat([
    ...[u16(ecc), u16(algorithm.sha256), u32(Object.values(attributes).reduce((sum, bit) => sum | bit, 0))],
    ...[sized(), u16(algorithm.none), u16(algorithm.ecdsa), u16(algorithm.sha256)],
    ...[u16(curveP256), u16(algorithm.none), sized(), sized()],
  ]);
  const sensitive = sized(sized(), sized());
  const created = await ask(
    tpm,
    code.createPrimary,
    [hierarchy.endorsement],
    [...[sensitive, sized(template), sized(), u32(0)]],
    1,
  );
  const [transient = 0] = created.handles;
  const publicKey = readPublicKey(created.parameters.sized());
  await ask(tpm, code.evictControl, [hierarchy.owner, transient], [u32(attestationKeyHandle)]);
  return publicKey;
}

/** Leaves the TPM its SHA-256 registers only, from its next start on: firmware hashes everything once for each bank. */
export async function keepSha256Only(tpm: TpmTransport): Promise<void> {
  const { sha1, sha256, sha384, sha512 } = algorithm;
  const banks = [sha1, sha256, sha384, sha512].map((hash) =>
    selection(hash, hash === sha256 ? everyPcr : []),
  );
  const { parameters } = await ask(
    tpm,
    code.pcrAllocate,
    [hierarchy.platform],
    [u32(banks.length), ...banks],
  );
  if (parameters.u8() !== 1) throw new TpmError('The TPM does not take a choice of banks.');
}

/** Tells the TPM that it will be started anew. */
export async function shutDown(tpm: TpmTransport): Promise<void> {
  await transmit(tpm, Buffer.concat([u16(tag.noSessions), u32(12), u32(code.shutdown), u16(0)]));
}

/** Has the TPM sign these SHA-256 registers together with `nonce`, up to 32 bytes. Throws TpmError. */
export async function askForQuote(tpm: TpmTransport, nonce: Buffer, pcrs: readonly number[]): Promise<Quote> {
  const { parameters } = await ask(
    tpm,
    code.quote,
    [attestationKeyHandle],
    [...[sized(nonce), u16(algorithm.none), u32(1), selection(algorithm.sha256, pcrs)]],
  );
  const attested = parameters.sized();
  return { attested, signature: parameters.bytes(parameters.left()) };
}

const everyPcr = Array.from({ length: 24 }, (_, pcr) => pcr);

/** TPMS_PCR_SELECTION: one bit a register, the lowest first. */
export function selection(hash: number, pcrs: readonly number[]): Buffer {
  const bits = Buffer.alloc(3);
  for (const pcr of pcrs) bits.writeUInt8(bits.readUInt8(pcr >> 3) | (1 << (pcr & 7)), pcr >> 3);
  return Buffer.concat([u16(hash), u8(bits.length), bits]);
}

/** A command under the empty password of its first handle. */
async function ask(
  tpm: TpmTransport,
  commandCode: number,
  handles: number[],
  parameters: Buffer[],
  answeredHandles = 0,
): Promise<{ handles: number[]; parameters: WireReader }> {
  const authorization = [u32(emptyPassword.length), emptyPassword];
  const body = Buffer.concat([...handles.map(u32), ...authorization, ...parameters]);
  const header = Buffer.concat([u16(tag.sessions), u32(10 + body.length), u32(commandCode)]);
  const answer = await transmit(tpm, Buffer.concat([header, body]));
  const given = Array.from({ length: answeredHandles }, () => answer.u32());
  return { handles: given, parameters: readWire(answer.bytes(answer.u32())) };
}

async function transmit(tpm: TpmTransport, command: Buffer): Promise<WireReader> {
  const answer = readWire(await tpm(command));
  answer.u16();
  answer.u32();
  const result = answer.u32();
  if (result !== 0) throw new TpmError(`The TPM refused with code 0x${result.toString(16)}.`);
  return answer;
}

function readPublicKey(area: Buffer): KeyObject {
  const reader = readWire(area);
  reader.bytes(8);
  reader.sized();
  reader.bytes(10);
  const coordinate = () => reader.sized().toString('base64url');
  return createPublicKey({
    key: { kty: 'EC', crv: 'P-256', x: coordinate(), y: coordinate() },
    format: 'jwk',
  });
}
