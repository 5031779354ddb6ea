import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where a plugin listens, and how the handshake names it. */
export type ListenAddress =
  | { network: 'unix'; path: string; remove(): void }
  | { network: 'tcp'; ports: readonly number[]; remove(): void };

// The kernel's own limits are 108 bytes on Linux and 104 on macOS, with the zero byte at the end.
const longestSocketPath = 100;

/**
 * A Unix socket in a new folder that nobody else may enter, as plugins in Go have it; on Windows, and where the path of
 * such a folder is too long, ports of loopback, the first of which that is free is to be taken.
 *
 * @see https://github.com/hashicorp/go-plugin/blob/main/docs/internals.md
 */
export function listenAddress(
  environment: { readonly [name: string]: string | undefined },
  platform: NodeJS.Platform = process.platform,
): ListenAddress {
  const parent = environment.PLUGIN_UNIX_SOCKET_DIR || tmpdir();
  const length = Buffer.byteLength(join(parent, 'plugin-xxxxxx', 'socket'));
  if (platform === 'win32' || length > longestSocketPath) {
    return { network: 'tcp', ports: portsIn(environment), remove: () => {} };
  }
  const folder = mkdtempSync(join(parent, 'plugin-'));
  return {
    ...{ network: 'unix', path: join(folder, 'socket') },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** What Terraform allows; any free port when it says nothing. */
function portsIn(environment: { readonly [name: string]: string | undefined }): number[] {
  const first = Number(environment.PLUGIN_MIN_PORT);
  const last = Number(environment.PLUGIN_MAX_PORT);
  if (!(first > 0 && last >= first && last <= 65_535)) return [0];
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
