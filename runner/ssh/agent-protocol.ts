import { Duplex } from 'node:stream';
import { WireError, WireReader, wireString, wireUint32 } from './wire.ts';

/** @see https://datatracker.ietf.org/doc/html/draft-ietf-sshm-ssh-agent#section-6.1 */
const message = {
  failure: 5,
  success: 6,
  requestIdentities: 11,
  identitiesAnswer: 12,
  signRequest: 13,
  signResponse: 14,
  extension: 27,
} as const;

/** Longest request that is read. A client that sends a longer one loses its stream. */
export const maxMessageBytes = 64 * 1024;

export interface SignRequest {
  key: Buffer;
  data: Buffer;
  flags: number;
}

/** What an agent answers. `undefined` and `false` become the protocol's failure message. */
export interface AgentHandlers {
  identities(): { key: Buffer; comment: string }[];
  /** Resolves to a signature in SSH's format (RFC 4253, section 6.6). */
  sign(request: SignRequest): Promise<Buffer | undefined>;
  extension(name: string, contents: Buffer): boolean | undefined;
  /** A request that this agent does not know, by its message number; it is answered with failure. */
  unknown(type: number): void;
}

export interface AgentStream {
  /** Requests are written to it, answers are read from it. It never emits an error. */
  stream: Duplex;
  /** Ends the stream from our side; what is written after that is dropped. */
  end(): void;
}

/**
 * Speaks the SSH agent protocol on a stream, one request at a time. A client that breaks the framing gets the end
 * of the stream.
 *
 * @see https://datatracker.ietf.org/doc/html/draft-ietf-sshm-ssh-agent#section-5
 */
export function createAgentStream(handlers: AgentHandlers): AgentStream {
  let pending: Buffer = Buffer.alloc(0);
  let drained: (() => void) | undefined;
  let ended = false;

  const end = () => {
    if (ended) return;
    ended = true;
    pending = Buffer.alloc(0);
    // Not destroy(): an SSH client that sees no end of file waits for ever.
    stream.push(null);
    drained?.();
  };
  const answerAll = async () => {
    while (!ended && pending.length >= 4) {
      const length = pending.readUInt32BE();
      if (length === 0 || length > maxMessageBytes) return end();
      if (pending.length < 4 + length) return;
      const request = pending.subarray(4, 4 + length);
      pending = pending.subarray(4 + length);
      const answer = await answerRequest(request, handlers);
      if (!ended && !stream.push(wireString(answer))) await new Promise<void>((go) => (drained = go));
    }
  };

  const stream = new Duplex({
    read() {
      drained?.();
      drained = undefined;
    },
    write(chunk: Buffer, _encoding, done) {
      if (ended) return done();
      pending = Buffer.concat([pending, chunk]);
      answerAll()
        .catch(end)
        .then(() => done());
    },
    final(done) {
      end();
      done();
    },
  });
  return { stream, end };
}

async function answerRequest(request: Buffer, handlers: AgentHandlers): Promise<Buffer> {
  try {
    return (await answerKnownRequest(request, handlers)) ?? Buffer.of(message.failure);
  } catch (error) {
    if (error instanceof WireError) return Buffer.of(message.failure);
    throw error;
  }
}

async function answerKnownRequest(request: Buffer, handlers: AgentHandlers): Promise<Buffer | undefined> {
  const reader = new WireReader(request);
  const type = reader.byte();
  switch (type) {
    case message.requestIdentities: {
      const identities = handlers.identities();
      const list = identities.flatMap(({ key, comment }) => [wireString(key), wireString(comment)]);
      return Buffer.concat([Buffer.of(message.identitiesAnswer), wireUint32(identities.length), ...list]);
    }
    case message.signRequest: {
      const signature = await handlers.sign({
        key: reader.string(),
        data: reader.string(),
        flags: reader.uint32(),
      });
      return signature && Buffer.concat([Buffer.of(message.signResponse), wireString(signature)]);
    }
    case message.extension: {
      return handlers.extension(reader.text(), reader.rest()) ? Buffer.of(message.success) : undefined;
    }
    default:
      handlers.unknown(type);
      return undefined;
  }
}
