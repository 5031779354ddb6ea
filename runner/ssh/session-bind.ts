import { verifyHostSignature } from './host-signature.ts';
import { WireError, WireReader } from './wire.ts';

export const sessionBindExtension = 'session-bind@openssh.com';

/** Proof that a host holding `hostKey` (raw blob) took part in the SSH session `sessionId`. */
export interface SessionBinding {
  hostKey: Buffer;
  sessionId: Buffer;
}

export type SessionBindRefusal =
  | 'bind_malformed'
  | 'bind_for_forwarding'
  | 'bind_host_not_pinned'
  | 'bind_signature_invalid';

/**
 * Judges the contents of a `session-bind@openssh.com` request: the host must be pinned (`hostKeys`: raw blobs), must
 * have signed the session id, and the session must be for authentication, not for forwarding the agent further.
 *
 * @see https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.agent
 */
export function verifySessionBind(
  contents: Buffer,
  hostKeys: readonly Buffer[],
): { ok: true; binding: SessionBinding } | { ok: false; code: SessionBindRefusal } {
  const bind = parseSessionBind(contents);
  if (bind === undefined) return { ok: false, code: 'bind_malformed' };
  if (bind.forwarding) return { ok: false, code: 'bind_for_forwarding' };
  if (!hostKeys.some((pinned) => pinned.equals(bind.hostKey))) {
    return { ok: false, code: 'bind_host_not_pinned' };
  }
  if (!verifyHostSignature(bind.hostKey, bind.sessionId, bind.signature)) {
    return { ok: false, code: 'bind_signature_invalid' };
  }
  // Copies, because the message is a view into a buffer that the stream goes on using.
  const binding = { hostKey: Buffer.from(bind.hostKey), sessionId: Buffer.from(bind.sessionId) };
  return { ok: true, binding };
}

function parseSessionBind(contents: Buffer) {
  try {
    const reader = new WireReader(contents);
    const bind = {
      hostKey: reader.string(),
      sessionId: reader.string(),
      signature: reader.string(),
      forwarding: reader.boolean(),
    };
    return reader.atEnd ? bind : undefined;
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}
