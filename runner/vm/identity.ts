import { cpioEntry, cpioTrailer, fileType } from '../image/cpio.ts';
import { makeSshKeyPair } from './openssh-private-key.ts';

/** Keys of one VM, made before it boots. */
export interface VmIdentity {
  /** Host key to pin, raw blob. */
  hostKey: Buffer;
  /** Private key of the runner for this VM, OpenSSH format. */
  clientKey: Buffer;
  /** What the image's init takes the identity from: an uncompressed cpio to put before the image. */
  archive: Buffer;
}

/**
 * Makes a VM's host key and the runner's key for it. The caller wipes `archive` and `clientKey`. `deadmanSeconds` is for
 * machines whose kernel command line is the same for all.
 */
export function createIdentity(options: { deadmanSeconds?: number } = {}): VmIdentity {
  const host = makeSshKeyPair();
  const client = makeSshKeyPair();
  const archive = Buffer.concat([
    cpioEntry({ path: 'ebb-identity', mode: fileType.folder | 0o700, inode: 1 }),
    member('ssh_host_ed25519_key', 0o600, 2, host.privateKey),
    member('ssh_host_ed25519_key.pub', 0o644, 3, Buffer.from(`${host.publicLine}\n`)),
    member('authorized_keys', 0o600, 4, Buffer.from(`${client.publicLine}\n`)),
    ...(options.deadmanSeconds === undefined
      ? []
      : [member('deadman', 0o644, 5, Buffer.from(`${options.deadmanSeconds}\n`))]),
    cpioTrailer(),
  ]);
  host.privateKey.fill(0);
  return { hostKey: host.publicBlob, clientKey: client.privateKey, archive };
}

function member(name: string, permissions: number, inode: number, data: Buffer): Buffer {
  return cpioEntry({ path: `ebb-identity/${name}`, mode: fileType.regular | permissions, inode, data });
}
