import { collectSoon } from '../../contract/collect-garbage.ts';
import type { ApiContext } from '../context.ts';
import type { ProjectAtHost } from '../source-hosts/project-at-host.ts';
import type { DeployKeyRow } from './deploy-key-store.ts';
import { createKey } from './ed25519-key.ts';

/** Makes an SSH key for a project, its private half sealed to the project at once. */
export async function makeSealedKey(
  { custody }: ApiContext,
  project: ProjectAtHost,
): Promise<Pick<DeployKeyRow, 'public_key' | 'fingerprint' | 'sealed_private_key'>> {
  const key = createKey(`ebb:${project.teamName}/${project.name}`);
  try {
    const to = { publicKey: project.publicKey, projectId: project.id, purpose: 'deploy-key' } as const;
    return {
      public_key: key.publicKey,
      fingerprint: key.fingerprint,
      sealed_private_key: await custody.seal(key.seed, to),
    };
  } finally {
    key.seed.fill(0);
    collectSoon();
  }
}
