import type { SessionBinding } from './session-bind.ts';
import { WireError, WireReader } from './wire.ts';

const userauthRequest = 50;

/** What an agent is willing to sign; keys are raw blobs. */
export interface SignPolicy {
  publicKey: Buffer;
  user: string;
  hostKeys: readonly Buffer[];
}

export type SignRefusal =
  | 'not_an_authentication'
  | 'wrong_user'
  | 'wrong_key'
  | 'not_bound'
  | 'wrong_session'
  | 'host_not_pinned';

/**
 * Decides from the bytes to sign alone whether they log `policy.user` in at a pinned host: they must be an SSH user
 * authentication by public key, in the session that a pinned host has signed (`binding`, from a verified
 * session-bind). Where the method names the host (`publickey-hostbound-v00@openssh.com`), it must be that host.
 *
 * @see https://www.rfc-editor.org/rfc/rfc4252#section-7
 * @see https://github.com/openssh/openssh-portable/blob/master/PROTOCOL (publickey-hostbound-v00@openssh.com)
 */
export function judgeSignRequest(
  data: Buffer,
  policy: SignPolicy,
  binding: SessionBinding | undefined,
): { ok: true } | { ok: false; code: SignRefusal } {
  const request = parseAuthentication(data);
  if (request === undefined) return { ok: false, code: 'not_an_authentication' };
  if (!request.user.equals(Buffer.from(policy.user))) return { ok: false, code: 'wrong_user' };
  if (!request.key.equals(policy.publicKey)) return { ok: false, code: 'wrong_key' };
  if (request.hostKey !== undefined && !isPinned(request.hostKey, policy)) {
    return { ok: false, code: 'host_not_pinned' };
  }
  if (binding === undefined) return { ok: false, code: 'not_bound' };
  if (!isPinned(binding.hostKey, policy)) return { ok: false, code: 'host_not_pinned' };
  const sameSession = request.sessionId.equals(binding.sessionId);
  const sameHost = request.hostKey === undefined || request.hostKey.equals(binding.hostKey);
  return sameSession && sameHost ? { ok: true } : { ok: false, code: 'wrong_session' };
}

interface Authentication {
  sessionId: Buffer;
  user: Buffer;
  key: Buffer;
  /** Only in the host-bound method. */
  hostKey: Buffer | undefined;
}

function parseAuthentication(data: Buffer): Authentication | undefined {
  try {
    const reader = new WireReader(data);
    const sessionId = reader.string();
    if (reader.byte() !== userauthRequest) return undefined;
    const user = reader.string();
    if (reader.text() !== 'ssh-connection') return undefined;
    const method = reader.text();
    const hostBound = method === 'publickey-hostbound-v00@openssh.com';
    if (!hostBound && method !== 'publickey') return undefined;
    if (reader.byte() !== 1 || reader.text() !== 'ssh-ed25519') return undefined;
    const key = reader.string();
    const hostKey = hostBound ? reader.string() : undefined;
    return reader.atEnd ? { sessionId, user, key, hostKey } : undefined;
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

function isPinned(hostKey: Buffer, policy: SignPolicy): boolean {
  return policy.hostKeys.some((pinned) => pinned.equals(hostKey));
}
