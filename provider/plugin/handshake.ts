/** What Terraform tells a plugin in its environment. */
export interface Handshake {
  /** Certificate that the only client will present, PEM. */
  clientCertificate: string;
}

/** Why a plugin cannot start, in words for people. */
export class HandshakeError extends Error {
  readonly code = 'handshake';
}

export const protocolVersion = '6';
/** Guards against being started by hand; not a secret. Terraform's constant. */
export const magicCookie = 'd602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2';

/**
 * Reads go-plugin's side of the handshake. Throws `HandshakeError` when this is not Terraform, or one that is too old.
 *
 * @see https://github.com/hashicorp/go-plugin/blob/main/docs/internals.md
 */
export function readHandshake(environment: { readonly [name: string]: string | undefined }): Handshake {
  if (environment.TF_PLUGIN_MAGIC_COOKIE !== magicCookie) {
    throw new HandshakeError(
      'This is a Terraform provider. It is started by Terraform or OpenTofu, not by hand: see https://developer.hashicorp.com/terraform/cli/commands/init.',
    );
  }
  const offered = environment.PLUGIN_PROTOCOL_VERSIONS ?? '';
  if (!offered.split(',').includes(protocolVersion)) {
    throw new HandshakeError(
      `Terraform offers plugin protocols "${offered}", this provider speaks ${protocolVersion}: use Terraform 1.11 or newer.`,
    );
  }
  const clientCertificate = environment.PLUGIN_CLIENT_CERT;
  if (!clientCertificate) {
    throw new HandshakeError(
      'PLUGIN_CLIENT_CERT is not set: this provider talks over mutual TLS only. Start it by Terraform or OpenTofu.',
    );
  }
  return { clientCertificate };
}

/** The line that tells Terraform where the plugin listens and which certificate it shows. */
export function handshakeLine(network: 'unix' | 'tcp', address: string, certificate: Buffer): string {
  const base64 = certificate.toString('base64').replace(/={1,2}$/, '');
  return `1|${protocolVersion}|${network}|${address}|grpc|${base64}\n`;
}
