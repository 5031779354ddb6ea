import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { selfSignedCertificate } from './certificate.ts';

test('the certificate is a valid self-signed P-256 authority for localhost', () => {
  const { der, certificatePem } = selfSignedCertificate();
  const certificate = new X509Certificate(certificatePem);
  assert.deepEqual(Buffer.from(certificate.raw), der);
  assert.ok(certificate.verify(certificate.publicKey));
  assert.ok(certificate.checkIssued(certificate));
  assert.ok(certificate.ca);
  assert.equal(certificate.checkHost('localhost'), 'localhost');
  assert.equal(certificate.checkIP('127.0.0.1'), '127.0.0.1');
  assert.equal(certificate.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
  assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
});

test('the certificate is valid for a year from five minutes ago', () => {
  const certificate = new X509Certificate(
    selfSignedCertificate(new Date('2026-11-23T12:00:00Z')).certificatePem,
  );
  assert.equal(new Date(certificate.validFrom).toISOString(), '2026-11-23T11:55:00.000Z');
  assert.equal(new Date(certificate.validTo).toISOString(), '2027-11-23T12:00:00.000Z');
});

test('two certificates share neither key nor serial number', () => {
  const [first, second] = [selfSignedCertificate(), selfSignedCertificate()].map(
    ({ certificatePem }) => new X509Certificate(certificatePem),
  );
  assert.notEqual(first?.serialNumber, second?.serialNumber);
  assert.notEqual(first?.fingerprint256, second?.fingerprint256);
});
