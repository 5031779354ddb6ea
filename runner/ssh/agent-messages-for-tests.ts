import { wireString, wireUint32 } from './wire.ts';

/** The bytes of a user authentication by public key (RFC 4252, section 7), host-bound where a host key is given. */
export function authenticationData(login: {
  sessionId: Buffer;
  user: string;
  key: Buffer;
  hostKey?: Buffer | undefined;
}): Buffer {
  const { sessionId, user, key, hostKey } = login;
  return Buffer.concat([
    wireString(sessionId),
    Buffer.of(50),
    wireString(user),
    wireString('ssh-connection'),
    wireString(hostKey ? 'publickey-hostbound-v00@openssh.com' : 'publickey'),
    Buffer.of(1),
    wireString('ssh-ed25519'),
    wireString(key),
    hostKey ? wireString(hostKey) : Buffer.alloc(0),
  ]);
}

/** What asks an agent to sign data with a key. */
export function signMessage(data: Buffer, key: Buffer): Buffer {
  return Buffer.concat([Buffer.of(13), wireString(key), wireString(data), wireUint32(0)]);
}
