import { createHmac, createSecretKey, generateKeyPair, type JsonWebKey } from 'node:crypto';
import { promisify } from 'node:util';
import type { KeyWrapper } from '../../contract/custody/key-wrapper.ts';
import { type Purpose, seal } from '../../contract/custody/seal.ts';

/** The API's half of custody: it can seal and can open nothing. */
export interface Custody {
  /** Names the key-encryption key that wraps from now on. */
  readonly wrappingKey: string;
  /**
   * Makes a project's key pair. The private half leaves only wrapped to the key-encryption key. Throws CustodyError when
   * a key service does not wrap it.
   */
  createProjectKey(
    projectId: string,
    signal?: AbortSignal,
  ): Promise<{ publicKey: JsonWebKey; wrappedPrivateKey: string }>;
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
  /** The key that seals the private half of a key that signs tokens, 32 bytes, derived and never stored; the caller wipes it. */
  tokenKeySealing(kid: string): Buffer;
  /** The key that seals the link of a mail until it is sent, 32 bytes, derived and never stored; the caller wipes it. */
  mailKey(mailId: string): Buffer;
  /** The key of the mark by which browsers are known to an address, 32 bytes, derived; the caller wipes it. */
  knownBrowserKey(): Buffer;
}

/**
 * @param options.keyWrapper wraps to the key-encryption key, which only runners can unwrap with
 * @param options.hookMasterKey 32 bytes that hook secrets and the keys of connections, logs, mails and token keys are derived from (RFC 5869)
 */
export function createCustody(options: { keyWrapper: KeyWrapper; hookMasterKey: Buffer }): Custody {
  const { keyWrapper } = options;
  const derive = createDerivation(options.hookMasterKey);
  return {
    wrappingKey: keyWrapper.id,
    async createProjectKey(projectId, signal) {
      const { publicKey, privateKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });
      const plaintext = privateKey.export({ format: 'der', type: 'pkcs8' });
      try {
        return {
          publicKey: publicKey.export({ format: 'jwk' }),
          wrappedPrivateKey: await keyWrapper.wrap(plaintext, projectId, signal),
        };
      } finally {
        plaintext.fill(0);
      }
    },
    seal,
    hookSecret: (id) => derive(`ebb hook secret ${id}`),
    connectionKey: (id) => derive(`ebb connection credential ${id}`),
    logWrappingKey: (id) => derive(`ebb log key ${id}`),
    mailKey: (id) => derive(`ebb mail link ${id}`),
    tokenKeySealing: tokenKeySealing(derive),
    knownBrowserKey: () => derive('ebb known browser'),
  };
}

/** The same for a command that has no key to wrap with. */
export function createTokenKeySealing(hookMasterKey: Buffer): Custody['tokenKeySealing'] {
  return tokenKeySealing(createDerivation(hookMasterKey));
}

function tokenKeySealing(derive: ReturnType<typeof createDerivation>): Custody['tokenKeySealing'] {
  return (kid) => derive(`ebb token key ${kid}`);
}

/** HKDF with SHA-256 for 32 bytes; its first half is done once, since every webhook needs the second (RFC 5869, section 2). */
function createDerivation(masterKey: Buffer): (purpose: string) => Buffer {
  const bytes = createHmac('sha256', Buffer.alloc(32)).update(masterKey).digest();
  // As a key object it takes a quarter of the time, each time.
  const extracted = createSecretKey(bytes);
  bytes.fill(0);
  return (purpose) => createHmac('sha256', extracted).update(purpose).update(Buffer.of(1)).digest();
}
