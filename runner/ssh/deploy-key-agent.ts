import type { Duplex } from 'node:stream';
import ssh2 from 'ssh2';
import {
  type AgentHandlers,
  type AgentStream,
  createAgentStream,
  type SignRequest,
} from './agent-protocol.ts';
import {
  type SessionBinding,
  type SessionBindRefusal,
  sessionBindExtension,
  verifySessionBind,
} from './session-bind.ts';
import { judgeSignRequest, type SignPolicy, type SignRefusal } from './sign-request.ts';
import { WireReader, wireString } from './wire.ts';

const maxStreams = 16;
const maxRefusals = 32;

/** Why the agent did not do what it was asked. */
export type RefusalCode =
  | SignRefusal
  | SessionBindRefusal
  | 'already_bound'
  | 'limit_reached'
  | 'revoked'
  | 'too_many_streams'
  | 'too_many_refusals'
  | 'unknown_extension'
  | 'unknown_request'
  | 'signer_failed';

/** For the audit trail: carries no key, no signature and nothing the VM has written. */
export type AgentEvent = { type: 'signed'; signs: number } | { type: 'refused'; code: RefusalCode };

export interface DeployKeyAgentOptions extends SignPolicy {
  /** Signs with the ed25519 private key that it owns and wipes; resolves to the 64 raw bytes (RFC 8032). */
  sign(data: Buffer): Buffer | Promise<Buffer>;
  /** How many signatures the checkout may take: one for each SSH connection that git opens. */
  maxSigns: number;
  onEvent(event: AgentEvent): void;
}

export interface DeployKeyAgent {
  /** For ssh2's `agent` option, together with `agentForward`. */
  agent: ssh2.BaseAgent;
  /** Refuses everything from now on and ends the open streams. */
  revoke(): void;
  /** Signatures given so far. */
  readonly signs: number;
}

/**
 * An SSH agent with one ed25519 key that can only log `user` in at the hosts in `hostKeys`, at most `maxSigns` times,
 * until it is revoked. It believes nothing the other side says: user, host and session are read from the bytes that
 * are signed and from the host's own signature over the session.
 *
 * After 32 refusals it revokes itself, so that a hostile VM cannot fill the audit trail.
 */
export function createDeployKeyAgent(options: DeployKeyAgentOptions): DeployKeyAgent {
  assertEd25519(options.publicKey);
  const streams = new Set<AgentStream>();
  let signs = 0;
  let refusals = 0;
  let revoked = false;

  const revoke = () => {
    revoked = true;
    for (const open of streams) open.end();
    streams.clear();
  };
  const refuse = (code: RefusalCode): undefined => {
    if (refusals >= maxRefusals) return;
    refusals += 1;
    options.onEvent({ type: 'refused', code });
    if (refusals < maxRefusals) return;
    options.onEvent({ type: 'refused', code: 'too_many_refusals' });
    revoke();
  };
  const sign = async ({ key, data }: SignRequest, binding: SessionBinding | undefined) => {
    if (revoked) return refuse('revoked');
    if (!key.equals(options.publicKey)) return refuse('wrong_key');
    const verdict = judgeSignRequest(data, options, binding);
    if (!verdict.ok) return refuse(verdict.code);
    if (signs >= options.maxSigns) return refuse('limit_reached');
    // Counted before the signer is asked, so that requests at the same time cannot pass the limit.
    signs += 1;
    const signature = await signWith(options.sign, data);
    if (signature === undefined) return refuse('signer_failed');
    if (revoked) return refuse('revoked');
    options.onEvent({ type: 'signed', signs });
    return signature;
  };
  const openStream = (): Duplex | undefined => {
    if (revoked) return refuse('revoked');
    if (streams.size >= maxStreams) return refuse('too_many_streams');
    const opened = createAgentStream(streamHandlers(options, refuse, sign));
    streams.add(opened);
    opened.stream.once('close', () => streams.delete(opened));
    return opened.stream;
  };

  return {
    agent: new ForwardedAgent(openStream),
    revoke,
    get signs() {
      return signs;
    },
  };
}

/** Each stream is one connection of an SSH client to the agent, with a binding of its own. */
function streamHandlers(
  { publicKey, hostKeys }: SignPolicy,
  refuse: (code: RefusalCode) => undefined,
  sign: (request: SignRequest, binding: SessionBinding | undefined) => Promise<Buffer | undefined>,
): AgentHandlers {
  let binding: SessionBinding | undefined;
  let forwarded = false;
  return {
    identities: () => (forwarded ? [] : [{ key: publicKey, comment: 'deploy key' }]),
    sign: async (request) => (forwarded ? refuse('bind_for_forwarding') : await sign(request, binding)),
    extension(name, contents) {
      if (name !== sessionBindExtension) return refuse('unknown_extension');
      if (binding !== undefined) return refuse('already_bound');
      const bind = verifySessionBind(contents, hostKeys);
      // OpenSSH forwards the agent though the bind was refused: what comes on this stream then is from elsewhere.
      forwarded ||= !bind.ok && bind.code === 'bind_for_forwarding';
      if (forwarded) return refuse('bind_for_forwarding');
      if (!bind.ok) return refuse(bind.code);
      binding = bind.binding;
      return true;
    },
    unknown: () => refuse('unknown_request'),
  };
}

/** Shows ssh2 no key of its own, so that the deploy key never takes part in the login at the VM. */
class ForwardedAgent extends ssh2.BaseAgent {
  readonly #openStream: () => Duplex | undefined;

  constructor(openStream: () => Duplex | undefined) {
    super();
    this.#openStream = openStream;
  }

  getIdentities(done: ssh2.IdentityCallback): void {
    done(undefined, []);
  }

  sign(...args: unknown[]): void {
    const done = args.at(-1);
    if (typeof done === 'function')
      done(new Error('The deploy key agent signs only through a forwarded stream.'));
  }

  override getStream(done: ssh2.GetStreamCallback): void {
    const stream = this.#openStream();
    if (stream === undefined)
      done(new Error('The deploy key agent opens no stream: it is revoked or at its limit.'));
    else done(undefined, stream);
  }
}

async function signWith(sign: DeployKeyAgentOptions['sign'], data: Buffer): Promise<Buffer | undefined> {
  try {
    const signature = await sign(Buffer.from(data));
    if (signature.length !== 64) return undefined;
    return Buffer.concat([wireString('ssh-ed25519'), wireString(signature)]);
  } catch {
    // The signer's error may hold key material: its owner logs it, the VM and the audit trail see only the code.
    return undefined;
  }
}

function assertEd25519(publicKey: Buffer): void {
  if (new WireReader(publicKey).text() !== 'ssh-ed25519') {
    throw new TypeError(
      'publicKey must be the raw blob of an ssh-ed25519 key; other key types are not supported.',
    );
  }
}
