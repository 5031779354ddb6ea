import { X509Certificate } from 'node:crypto';
import { type ConnectionOptions, checkServerIdentity } from 'node:tls';

/**
 * How a client verifies a server, for `tls.connect` and what wraps it. Chain and name are always verified, against the
 * public certificate authorities or, when it is given, against `trusted` alone.
 *
 * A server's own certificate may be among `trusted`: it then stands for itself whatever name is in it, since only that
 * server has its private key. So servers with self-signed certificates that name somebody else can be verified too.
 *
 * @param trusted one or more certificates, PEM
 */
export function verifiedTls(trusted?: string): ConnectionOptions {
  const base = { rejectUnauthorized: true, minVersion: 'TLSv1.2' } as const;
  if (trusted === undefined) return base;
  const pinned = readCertificates(trusted).map((certificate) => certificate.raw);
  return {
    ...base,
    ca: trusted,
    // A certificate that was given is trusted without its issuer.
    allowPartialTrustChain: true,
    checkServerIdentity: (host, certificate) =>
      pinned.some((known) => known.equals(certificate.raw))
        ? undefined
        : checkServerIdentity(host, certificate),
  };
}

/** What is wrong with a variable that holds certificates, for people; empty when nothing is. */
export function certificateProblems(name: string, text: string): string[] {
  try {
    if (readCertificates(text).length > 0) return [];
  } catch {
    // OpenSSL's words say less than ours.
  }
  return [
    `${name} holds no certificate in PEM, or a broken one. Give the file as it is, with its line breaks.`,
  ];
}

function readCertificates(text: string): X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}
