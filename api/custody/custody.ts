import { createHmac, type JsonWebKey } from 'node:crypto';
import { CompactEncrypt, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose';

/** What a sealed value is for; the runner opens it for nothing else. */
export type Purpose = 'project-key' | 'deploy-key' | `secret:${string}`;

/** The API's half of custody: it can seal and can open nothing. */
export interface Custody {
  /** Makes a project's key pair. The private half leaves only wrapped to the key-encryption key. */
  createProjectKey(projectId: string): Promise<{ publicKey: JsonWebKey; wrappedPrivateKey: string }>;
  /** Seals bytes to a project: a compact JWE (RFC 7516) that names project and purpose in its protected header. */
  seal(
    plaintext: Uint8Array,
    to: { publicKey: JsonWebKey; projectId: string; purpose: Purpose },
  ): Promise<string>;
  /** The secret that signs a hook's deliveries, 32 bytes, derived and never stored; the caller wipes it. */
  hookSecret(hookBindingId: string): Buffer;
  /** The key that seals a connection's credential, 32 bytes, derived and never stored; the caller wipes it. */
  connectionKey(connectionId: string): Buffer;
  /** The key that wraps the key of a project's logs, 32 bytes, derived and never stored; the caller wipes it. */
  logWrappingKey(projectId: string): Buffer;
}

/**
 * @param options.keyEncryptionKey public JWK (EC P-256) whose private half only runners hold
 * @param options.hookMasterKey 32 bytes that hook secrets and the keys of connections and logs are derived from (RFC 5869)
 */
export function createCustody(options: { keyEncryptionKey: JsonWebKey; hookMasterKey: Buffer }): Custody {
  const derive = createDerivation(options.hookMasterKey);
  return {
    async createProjectKey(projectId) {
      const pair = await generateKeyPair('ECDH-ES+A256KW', { crv: 'P-256', extractable: true });
      const privateKey = Buffer.from(JSON.stringify(await exportJWK(pair.privateKey)));
      try {
        return {
          publicKey: (await exportJWK(pair.publicKey)) as JsonWebKey,
          wrappedPrivateKey: await encrypt(privateKey, options.keyEncryptionKey, projectId, 'project-key'),
        };
      } finally {
        privateKey.fill(0);
      }
    },
    seal: (plaintext, to) => encrypt(plaintext, to.publicKey, to.projectId, to.purpose),
    hookSecret: (id) => derive(`ebb hook secret ${id}`),
    connectionKey: (id) => derive(`ebb connection credential ${id}`),
    logWrappingKey: (id) => derive(`ebb log key ${id}`),
  };
}

/** HKDF with SHA-256 for 32 bytes; its first half is done once, since every webhook needs the second (RFC 5869, section 2). */
function createDerivation(masterKey: Buffer): (purpose: string) => Buffer {
  const extracted = createHmac('sha256', Buffer.alloc(32)).update(masterKey).digest();
  return (purpose) => createHmac('sha256', extracted).update(purpose).update(Buffer.of(1)).digest();
}

async function encrypt(plaintext: Uint8Array, publicKey: JsonWebKey, projectId: string, purpose: Purpose) {
  return await new CompactEncrypt(plaintext)
    .setProtectedHeader({ alg: 'ECDH-ES+A256KW', enc: 'A256GCM', kid: projectId, purpose })
    .encrypt(await importJWK(publicKey as JWK, 'ECDH-ES+A256KW'));
}
