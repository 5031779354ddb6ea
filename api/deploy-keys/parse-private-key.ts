import { createPrivateKey } from 'node:crypto';
import { invalidField, ProblemError } from '../http/problem-error.ts';

const makeOne = 'Make one with: ssh-keygen -t ed25519 -N "" -f deploy-key';
const withoutPassphrase =
  'It has a passphrase, which nobody could type. Remove it first: ssh-keygen -p -N "" -f FILE';
const magic = 'openssh-key-v1\0';
const algorithm = 'ssh-ed25519';
const otherKinds =
  /^(ssh-(rsa|dss)|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com)$/;

/**
 * The seed (32 bytes) of an Ed25519 private key in OpenSSH's format or PKCS #8, both as PEM. Whoever takes it wipes it.
 * Throws a problem (422 at `private_key`) on everything else, in which nothing of the key is told.
 *
 * @see https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.key
 */
export function parsePrivateKey(text: string): Buffer {
  const [, label = '', body = ''] =
    /^\s*-----BEGIN ([A-Z ]+)-----\s([A-Za-z0-9+/=\s]*)-----END \1-----\s*$/.exec(text) ?? [];
  switch (label) {
    case 'OPENSSH PRIVATE KEY':
      return ofOpenSsh(Buffer.from(body, 'base64'));
    case 'PRIVATE KEY':
      return ofPkcs8(Buffer.from(body, 'base64'));
    case 'ENCRYPTED PRIVATE KEY':
      throw refused(withoutPassphrase);
    case '':
      throw refused(
        /^\s*(ssh|ecdsa)-\S+ /.test(text)
          ? 'This is the public half. Give the private half, the file without .pub.'
          : `This is no private key in PEM, complete from its BEGIN to its END line. ${makeOne}`,
      );
    default:
      throw refused(`This is a ${label}, where Ebb takes an Ed25519 key. ${makeOne}`);
  }
}

function ofPkcs8(der: Buffer): Buffer {
  try {
    const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    if (key.asymmetricKeyType !== 'ed25519') throw anotherKind(key.asymmetricKeyType ?? 'unknown');
    const again = key.export({ format: 'der', type: 'pkcs8' });
    const seed = Buffer.from(again.subarray(-32));
    again.fill(0);
    return seed;
  } catch (error) {
    throw error instanceof ProblemError ? error : broken();
  } finally {
    der.fill(0);
  }
}

function ofOpenSsh(bytes: Buffer): Buffer {
  try {
    const outer = reader(bytes);
    if (outer.take(magic.length).toString('latin1') !== magic) throw broken();
    const cipher = outer.text();
    // How a passphrase becomes a key, which there is none for.
    outer.field();
    outer.field();
    const count = outer.number();
    const kind = reader(outer.field()).text();
    if (cipher !== 'none') throw refused(withoutPassphrase);
    if (otherKinds.test(kind)) throw anotherKind(kind);
    const inner = reader(outer.field());
    const [check, again] = [inner.number(), inner.number()];
    if (kind !== algorithm || count !== 1 || check !== again || inner.text() !== algorithm) throw broken();
    const point = inner.field();
    const pair = inner.field();
    // The seed, then the public half once more.
    if (pair.length !== 64 || !pair.subarray(32).equals(point)) throw broken();
    return Buffer.from(pair.subarray(0, 32));
  } catch (error) {
    throw error instanceof ProblemError ? error : broken();
  } finally {
    bytes.fill(0);
  }
}

/** https://www.rfc-editor.org/rfc/rfc4251#section-5 */
function reader(bytes: Buffer) {
  let at = 0;
  const take = (length: number) => {
    if (at + length > bytes.length) throw broken();
    at += length;
    return bytes.subarray(at - length, at);
  };
  const number = () => take(4).readUInt32BE();
  const field = () => take(number());
  return { take, number, field, text: () => field().toString('latin1') };
}

const refused = (detail: string) => invalidField('private_key', detail);
const anotherKind = (kind: string) =>
  refused(`This is a key of type ${kind}, where Ebb takes ssh-ed25519. ${makeOne}`);
const broken = () => refused(`The private key is damaged: it cannot be read as Ed25519. ${makeOne}`);
