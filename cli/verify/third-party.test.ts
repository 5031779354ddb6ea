import assert from 'node:assert/strict';
import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { describe, test } from 'node:test';
import grafeas from '@google-cloud/grafeas/build/protos/protos.json' with { type: 'json' };
import { bundleFromJSON } from '@sigstore/bundle';
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';
import { fromProto3JSON, toProto3JSON } from 'proto3-json-serializer';
import protobuf from 'protobufjs';
import type { DsseEnvelope } from '../../contract/receipt.ts';
import { newSigner, provenance, ramdisk, revocation, statementOf } from './receipts-for-tests.ts';

const signer = newSigner();
const abouts = { provenance: { provenance }, ramdisk: { ramdisk }, revocation: { revocation } };

/** Verifies as sigstore does for a key that its user names, without its certificates and transparency logs. */
function verifyWithSigstore({ payloadType, payload, signatures }: DsseEnvelope, keys: JsonWebKey[]): void {
  const [signature] = signatures;
  const bundle = bundleFromJSON({
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: { publicKey: { hint: signature?.keyid }, tlogEntries: [] },
    dsseEnvelope: { payloadType, payload, signatures },
  });
  const root = { mediaType: '', tlogs: [], certificateAuthorities: [], ctlogs: [], timestampAuthorities: [] };
  const trusted = toTrustMaterial(root, (hint) => {
    const key = keys.find(({ kid }) => kid === hint);
    if (!key) throw new Error(`sigstore was given no key ${hint}`);
    return { publicKey: createPublicKey({ key, format: 'jwk' }), validFor: () => true };
  });
  const options = { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 };
  new Verifier(trusted, options).verify(toSignedEntity(bundle));
}

describe('sigstore’s verifier', () => {
  const keys: JsonWebKey[] = signer.jwks().keys.map((key) => ({ ...key }));
  for (const [kind, about] of Object.entries(abouts)) {
    const envelope = signer.signStatement(statementOf(about));

    test(`accepts the envelope of a ${kind}`, () => verifyWithSigstore(envelope, keys));

    test(`refuses the envelope of a ${kind} with one bit changed, or by another key`, () => {
      const changed = Buffer.from(envelope.payload, 'base64');
      changed.writeUInt8(changed.readUInt8(40) ^ 1, 40);
      const tampered = { ...envelope, payload: changed.toString('base64') };
      assert.throws(() => verifyWithSigstore(tampered, keys), /signature verification failed/);
      const stranger = newSigner().signStatement(statementOf(about));
      const forged = {
        ...stranger,
        signatures: stranger.signatures.map((one) => ({ ...one, keyid: keyid(envelope) })),
      };
      assert.throws(() => verifyWithSigstore(forged, keys), /signature verification failed/);
      assert.throws(() => verifyWithSigstore(stranger, keys), /was given no key/);
    });
  }
});

const keyid = ({ signatures }: DsseEnvelope) => signatures[0]?.keyid ?? '';

/** The types in which Grafeas, Google's API for metadata of artifacts, stores an in-toto statement of SLSA provenance. */
function grafeasType(): protobuf.Type {
  return protobuf.Root.fromJSON(grafeas).lookupType('grafeas.v1.InTotoSlsaProvenanceV1');
}

/** What is left of a statement when only what those types know is read, each value as its type. */
function readByGrafeas(statement: object): unknown {
  const type = grafeasType();
  // Their JSON name for the type of a statement is not in the descriptor that protobufjs reads.
  const { _type, ...rest } = statement as { _type: string };
  const message = fromProto3JSON(type, { type: _type, ...rest } as never);
  assert.ok(message);
  const { type: read, ...known } = toProto3JSON(message) as { type: string };
  return { _type: read, ...known };
}

/**
 * By SLSA's rules, a field whose name begins with a vendor and an underscore is an extension, which others leave out, and
 * what is empty is as good as not there. Annotations are anybody's.
 */
function comparable(value: unknown): unknown {
  const isEmpty = (inner: unknown) => inner instanceof Object && Object.keys(inner).length === 0;
  return JSON.parse(JSON.stringify(value), (key, inner) =>
    key === 'ebb_build' || isEmpty(inner) ? undefined : inner,
  );
}

describe('the types of Grafeas for SLSA provenance', () => {
  test('know every field of a provenance but Ebb’s own, and read the same values', () => {
    const statement = statementOf({ provenance });
    assert.deepEqual(comparable(readByGrafeas(statement)), comparable(statement));
  });

  test('lose a field of another name and refuse a value of another type', () => {
    const { predicate, ...statement } = statementOf({ provenance });
    const { runDetails } = provenance;
    const change = (metadata: object) => ({
      ...statement,
      predicate: { ...predicate, runDetails: { ...runDetails, metadata } },
    });
    const renamed = change({ ...runDetails.metadata, startedAt: runDetails.metadata.startedOn });
    assert.notDeepEqual(comparable(readByGrafeas(renamed)), comparable(renamed));
    assert.throws(() => readByGrafeas(change({ invocationId: 7 })), /invocationId.* cannot contain/);
    assert.throws(() => readByGrafeas(change({ startedOn: 5 })), /Timestamp/);
  });
});
