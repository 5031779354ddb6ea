import { randomBytes } from 'node:crypto';
import { createCustody } from '../../api/custody/custody.ts';
import type { KeyWrapper } from '../../contract/custody/key-wrapper.ts';
import type { BuildSpecification } from '../../contract/runner.ts';
import { makeEd25519 } from '../ssh/ed25519-for-tests.ts';
import { publicKeyLine } from '../ssh/public-key-line.ts';

/** What a VM without a disk shows of itself. */
export const cleanProof = {
  mounts: [{ source: 'rootfs', target: '/', type: 'rootfs', options: 'rw' }],
  ...{ partitions: [], swaps: [], block_devices: [], modules: [], nvme_bound: [], filesystems: ['tmpfs'] },
  ...{ modules_disabled: 1, kexec_load_disabled: 1, boot_id: 'b', memory_kib: 1 },
  command_line: 'initcall_blacklist=nvme_init',
};

/** What the API gives for a build of setup, test and deployment, and what seals more to its project. */
export async function specificationForTests(keyWrapper: KeyWrapper) {
  const custody = createCustody({ keyWrapper, hookMasterKey: randomBytes(32) });
  const project = await custody.createProjectKey('prj_1');
  const seal = (plaintext: Buffer, purpose: 'deploy-key' | `secret:${string}`) =>
    custody.seal(plaintext, { publicKey: project.publicKey, projectId: 'prj_1', purpose });
  const deployKey = makeEd25519();
  const { d = '' } = deployKey.privateKey.export({ format: 'jwk' });
  const specification: BuildSpecification = {
    ...{ build_id: 'bld_1', project_id: 'prj_1', attempt: 1, token: 't' },
    ...{ log_offset: 0, log_limit: 1024 * 1024 },
    ...{ branch: 'main', ref: 'refs/heads/main', commit: 'c'.repeat(40), environment: { STAGE: 'test' } },
    clone: {
      kind: 'github',
      user: 'git',
      host: 'git.example.com',
      port: 22,
      path: '/shop.git',
      host_keys: [publicKeyLine(makeEd25519().blob)],
    },
    wrapped_private_key: project.wrappedPrivateKey,
    deploy_key: {
      public_key: publicKeyLine(deployKey.blob),
      private_key: await seal(Buffer.from(d, 'base64url'), 'deploy-key'),
    },
    secrets: [
      { name: 'TOKEN', phases: ['deploy'], value: await seal(Buffer.from('hush-hush'), 'secret:TOKEN') },
    ],
    steps: [
      { phase: 'setup', commands: ['npm ci'] },
      { phase: 'test', commands: ['npm test', 'npm run lint'] },
      { phase: 'deploy', commands: ['./deploy'] },
    ],
    ...{ timeout_seconds: 60, image: 'base', memory_mib: 1024 },
  };
  return { specification, seal };
}
