import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import {
  bitString,
  boolean,
  contextField,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  set,
  utcTime,
  utf8String,
} from './der.ts';

export interface Certificate {
  /** X.509 certificate. */
  der: Buffer;
  certificatePem: string;
  privateKeyPem: string;
}

const names = {
  commonName: '2.5.4.3',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  subjectAlternativeName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  extendedKeyUsage: '2.5.29.37',
  serverAuthentication: '1.3.6.1.5.5.7.3.1',
  clientAuthentication: '1.3.6.1.5.5.7.3.2',
};

const version3 = Buffer.of(2);
/** digitalSignature, keyAgreement and keyCertSign: bits 0, 4 and 5. */
const keyUsageBits = Buffer.of(0b10001100);
const dnsName = 2;
const ipAddress = 7;
const clockSkewMilliseconds = 5 * 60_000;
const lifetimeMilliseconds = 365 * 24 * 3_600_000;

/**
 * Makes a self-signed P-256 certificate for `localhost` and 127.0.0.1, valid for a year, with a fresh key.
 *
 * @see https://www.rfc-editor.org/rfc/rfc5280#section-4.1
 */
export function selfSignedCertificate(now: Date = new Date()): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = sequence(objectIdentifier(names.ecdsaWithSha256));
  const name = sequence(set(sequence(objectIdentifier(names.commonName), utf8String('localhost'))));
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const toBeSigned = sequence(
    contextField(0, integer(version3)),
    integer(serial),
    algorithm,
    name,
    sequence(
      utcTime(new Date(now.getTime() - clockSkewMilliseconds)),
      utcTime(new Date(now.getTime() + lifetimeMilliseconds)),
    ),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    contextField(3, extensions()),
  );
  const signature = sign('sha256', toBeSigned, privateKey);
  const der = sequence(toBeSigned, algorithm, bitString(signature));
  return {
    der,
    certificatePem: pem('CERTIFICATE', der),
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function extensions(): Buffer {
  const alternativeNames = sequence(
    contextField(dnsName, Buffer.from('localhost'), true),
    contextField(ipAddress, Buffer.of(127, 0, 0, 1), true),
  );
  const purposes = [names.serverAuthentication, names.clientAuthentication].map(objectIdentifier);
  return sequence(
    extension(names.basicConstraints, true, sequence(boolean(true))),
    extension(names.keyUsage, true, bitString(keyUsageBits, 2)),
    extension(names.extendedKeyUsage, false, sequence(...purposes)),
    extension(names.subjectAlternativeName, false, alternativeNames),
  );
}

function extension(identifier: string, critical: boolean, value: Buffer): Buffer {
  const flag = critical ? [boolean(true)] : [];
  return sequence(objectIdentifier(identifier), ...flag, octetString(value));
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
