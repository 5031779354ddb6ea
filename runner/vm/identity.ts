import ssh2 from 'ssh2';
import { cpioEntry, cpioTrailer, fileType } from '../image/cpio.ts';
import { publicKeyBlob } from '../ssh/public-key-line.ts';

/** Keys of one VM, made before it boots. */
export interface VmIdentity {
  /** Host key to pin, raw blob. */
  hostKey: Buffer;
  /** Private key of the runner for this VM, OpenSSH format. */
  clientKey: Buffer;
  /** What the image's init takes the identity from: an uncompressed cpio to put before the image. */
  archive: Buffer;
}

/** Makes a VM's host key and the runner's key for it. The caller wipes `archive` and `clientKey`. */
export function createIdentity(): VmIdentity {
  const host = ssh2.utils.generateKeyPairSync('ed25519');
  const client = ssh2.utils.generateKeyPairSync('ed25519');
  const member = (name: string, mode: number, inode: number, text: string) =>
    cpioEntry({
      path: `ebb-identity/${name}`,
      mode: fileType.regular | mode,
      inode,
      data: Buffer.from(text),
    });
  return {
    hostKey: publicKeyBlob(host.public),
    clientKey: Buffer.from(client.private),
    archive: Buffer.concat([
      cpioEntry({ path: 'ebb-identity', mode: fileType.folder | 0o700, inode: 1 }),
      member('ssh_host_ed25519_key', 0o600, 2, host.private),
      member('ssh_host_ed25519_key.pub', 0o644, 3, `${host.public}\n`),
      member('authorized_keys', 0o600, 4, `${client.public}\n`),
      cpioTrailer(),
    ]),
  };
}
