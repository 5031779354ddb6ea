import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type ssh2 from 'ssh2';
import { created, declareBuildableProject, signIn } from '../../api/test-client.ts';
import { openTestContext } from '../../api/test-context.ts';
import { createControlPlane } from '../../runner/build/control-plane.ts';
import { createCustodyLog } from '../../runner/build/custody-log.ts';
import { lendDeployKey } from '../../runner/build/lend-deploy-key.ts';
import { createFileKey } from '../../runner/custody/key-file.ts';
import { createKeyring } from '../../runner/custody/keyring.ts';
import { openVault } from '../../runner/custody/open.ts';
import { buildImage } from '../../runner/image/build-image.ts';
import { base } from '../../runner/image/recipes.ts';
import { connect, type SshSession } from '../../runner/ssh/connection.ts';
import { startLoopbackSshd } from '../../runner/ssh/loopback-sshd.ts';
import { publicKeyLine } from '../../runner/ssh/public-key-line.ts';
import { bootLiveVm } from '../../runner/vm/live-vm.ts';
import { createQemuDriver } from '../../runner/vm/qemu/qemu-driver.ts';
import { startBuild } from './runner-for-tests.ts';

const cacheDir = resolve('.ebb/cache');

export type CheckoutUnderAttack = Awaited<ReturnType<typeof openCheckoutUnderAttack>>;

/**
 * A build of a real API on a real VM, in the moment of its checkout: the deploy key is open and its agent is forwarded.
 * Two SSH servers know the key, one of them is pinned. `endCheckout` ends the moment.
 */
export async function openCheckoutUnderAttack(signal: AbortSignal) {
  const memory = await access('/dev/shm').then(
    () => '/dev/shm',
    () => tmpdir(),
  );
  const folder = await mkdtemp(join(memory, 'ebb-attack-'));
  const api = await openTestContext();
  await api.listen();
  const admin = await signIn(api, api.keys.admin);
  const project = await declareBuildableProject(api, admin);
  const { id } = await created(admin, '/v1/builds', { project_id: project.id });
  const claimed = await startBuild(api, await signIn(api, api.keys.runner), id);
  const known = { authorizedKeys: [claimed.specification.deploy_key.public_key] };
  const [pinned, unpinned] = await Promise.all([startLoopbackSshd(known), startLoopbackSshd(known)]);
  const specification = {
    ...claimed.specification,
    clone: {
      ...claimed.specification.clone,
      user: pinned.user,
      host_keys: [publicKeyLine(pinned.hostKey)],
    },
  };
  const vault = await openVault({
    keyring: createKeyring(createFileKey(api.keyEncryptionKey.export({ format: 'jwk' }))),
    wrappedPrivateKey: specification.wrapped_private_key,
    projectId: specification.project_id,
  });
  const image = await buildImage({ recipe: base, cacheDir: join(cacheDir, 'images'), signal });
  const driver = createQemuDriver({ image, runtimeDir: join(folder, 'run'), cacheDir });
  const vm = await bootLiveVm(driver, { memoryMib: 1024, cpus: 1 }, signal);
  const custody = createCustodyLog({
    reports: createControlPlane({ url: api.context.publicUrl, apiKey: api.keys.runner }).build(specification),
    signal,
    onLost: (event, error) => api.context.log.error({ event, error: String(error) }, 'not audited'),
  });
  const logIn = (agent: ssh2.BaseAgent) =>
    connect({
      ...{ host: vm.vm.host, port: vm.vm.port, username: 'checkout', timeoutMs: 60_000 },
      ...{ privateKey: vm.vm.clientKey, hostKey: vm.vm.hostKey, agent },
    });
  const opened = Promise.withResolvers<SshSession>();
  const ended = Promise.withResolvers<void>();
  const lent = lendDeployKey({ specification, vault, custody, signal }, async (agent, revoke) => {
    const session = await logIn(agent);
    opened.resolve(session);
    await ended.promise;
    revoke();
    await session.close();
  });
  lent.catch(opened.reject);
  const checkout = await opened.promise;

  return {
    api,
    specification,
    pinned,
    unpinned,
    vm,
    /** The connection that has the agent, as user `checkout`. */
    checkout,
    vault,
    /** Where the running VM has its folder. */
    runtimeDir: join(folder, 'run'),
    /** What the team's audit says of the build's keys, oldest first. */
    async audited(): Promise<{ action: string; detail: Record<string, unknown> }[]> {
      await custody.settled();
      const { body } = await admin.call('GET', `/v1/audit-events?subject=${id}&limit=100`);
      const events: { action: string; detail: Record<string, unknown> }[] = body.items.reverse();
      return events.filter(({ action }) => action.startsWith('deploy_key.'));
    },
    async endCheckout() {
      ended.resolve();
      await lent;
    },
    async close() {
      ended.resolve();
      await lent.catch(() => undefined);
      await vm.end();
      await driver.close();
      await Promise.all([pinned.close(), unpinned.close(), api.close()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
