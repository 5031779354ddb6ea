import { collectSoon } from '../../contract/collect-garbage.ts';
import type { ApiContext } from '../context.ts';
import type { ProjectAtHost } from '../source-hosts/project-at-host.ts';
import type { DeployKeyRow } from './deploy-key-store.ts';
import { createKey, keyOfSeed } from './ed25519-key.ts';
import { parsePrivateKey } from './parse-private-key.ts';

export type SealedKey = Pick<DeployKeyRow, 'public_key' | 'fingerprint' | 'sealed_private_key' | 'made_by'>;

/**
 * An SSH key for a project, its private half sealed to the project at once: a new one, or the one that the team brings
 * along (PEM). Throws a problem when that is no Ed25519 key.
 */
export async function makeSealedKey(
  { custody }: Pick<ApiContext, 'custody'>,
  project: ProjectAtHost,
  broughtAlong?: string | null,
): Promise<SealedKey> {
  const comment = `ebb:${project.teamName}/${project.name}`;
  const key = broughtAlong ? keyOfSeed(parsePrivateKey(broughtAlong), comment) : createKey(comment);
  try {
    const to = { publicKey: project.publicKey, projectId: project.id, purpose: 'deploy-key' } as const;
    return {
      public_key: key.publicKey,
      fingerprint: key.fingerprint,
      sealed_private_key: await custody.seal(key.seed, to),
      made_by: broughtAlong ? 'team' : 'ebb',
    };
  } finally {
    key.seed.fill(0);
    collectSoon();
  }
}
