import { once } from 'node:events';
import { connect as connectSocket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from '../../ssh/connection.ts';
import { publicKeyBlob } from '../../ssh/public-key-line.ts';
import { VmError, type VmLaunch } from '../driver.ts';
import type { VmIdentity } from '../identity.ts';
import type { Ec2Context } from './ec2-context.ts';
import { type Instance, isEnding } from './instance.ts';
import { patient } from './patient.ts';

const loginTimeoutMs = 30_000;
const bannerTimeoutMs = 3_000;

export interface Reached {
  host: string;
  port: number;
  /** The host key to pin from now on. */
  hostKey: Buffer;
}

/**
 * Waits until an instance's SSH server answers, then makes what it was launched with worthless: it changes its host key
 * for one that was never outside, and its metadata service is closed. Throws VmError.
 */
export async function bringUp(
  context: Ec2Context,
  instance: Instance,
  identity: VmIdentity,
  launch: VmLaunch,
): Promise<Reached> {
  const late = AbortSignal.timeout(context.bootTimeoutMs);
  const signal = AbortSignal.any([launch.signal, late]);
  try {
    const address = await waitForSsh(context, instance, signal);
    const hostKey = await changeHostKey(address, identity, signal);
    await closeMetadata(context, instance, signal);
    return { ...address, hostKey };
  } catch (error) {
    if (launch.signal.aborted) throw new VmError('aborted', 'The launch was given up.', { cause: error });
    if (!late.aborted) throw error;
    const seconds = context.bootTimeoutMs / 1000;
    throw new VmError('boot_timeout', `The instance ${instance.id} did not answer within ${seconds} s.`);
  }
}

async function waitForSsh(context: Ec2Context, { id }: Instance, signal: AbortSignal) {
  for (;;) {
    const instance = await patient(context, () => context.api.describe(id, signal), signal);
    if (instance && isEnding(instance)) {
      throw new VmError(
        'boot_failed',
        `The instance ${id} ended while it booted: ${instance.stateReason || instance.state}.`,
      );
    }
    // A new instance may be unknown for a moment: EC2's answers are not of one piece.
    const address = instance?.state === 'running' ? context.reach(instance) : undefined;
    if (address && (await hasBanner(address, signal))) return address;
    await delay(context.pollMs, undefined, { signal });
  }
}

/** Whether an SSH server says hello there. */
async function hasBanner(
  { host, port }: { host: string; port: number },
  signal: AbortSignal,
): Promise<boolean> {
  const socket = connectSocket({ host, port });
  try {
    const within = AbortSignal.any([signal, AbortSignal.timeout(bannerTimeoutMs)]);
    const [chunk] = (await once(socket, 'data', { signal: within })) as [Buffer];
    return chunk.toString('latin1').startsWith('SSH-');
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function changeHostKey(
  address: { host: string; port: number },
  identity: VmIdentity,
  signal: AbortSignal,
) {
  const session = await connect({
    ...address,
    username: 'root',
    privateKey: identity.clientKey,
    hostKey: identity.hostKey,
    signal,
    timeoutMs: loginTimeoutMs,
  });
  try {
    const said: Buffer[] = [];
    const { code } = await session.exec('/usr/lib/ebb/rekey', {
      onStdout: (chunk) => void said.push(chunk),
      signal,
    });
    const line = Buffer.concat(said).toString().trim();
    if (code !== 0 || !line.startsWith('ssh-ed25519 ')) {
      throw new VmError(
        'boot_failed',
        'The VM did not change its host key. Is the image one that Ebb built for EC2?',
      );
    }
    return publicKeyBlob(line);
  } finally {
    await session.close();
  }
}

async function closeMetadata(context: Ec2Context, { id }: Instance, signal: AbortSignal): Promise<void> {
  await patient(context, () => context.api.closeMetadata(id, signal), signal);
}
