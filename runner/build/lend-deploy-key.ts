import type ssh2 from 'ssh2';
import { collectSoon } from '../../contract/collect-garbage.ts';
import type { BuildSpecification } from '../../contract/runner.ts';
import { createDeployKeySigner } from '../custody/deploy-key-signer.ts';
import type { ProjectVault } from '../custody/open.ts';
import { type AgentEvent, createDeployKeyAgent } from '../ssh/deploy-key-agent.ts';
import { publicKeyBlob } from '../ssh/public-key-line.ts';
import type { CustodyLog } from './custody-log.ts';

// One for the fetch by commit id and one for the fallback by branch.
const maxSigns = 2;

/**
 * Opens the deploy key, lends it to `use` through an agent that signs for the pinned source host only, and wipes it
 * before this resolves or rejects. The team's audit has the opening before it happens, and what the agent did after.
 */
export async function lendDeployKey<T>(
  options: {
    specification: BuildSpecification;
    vault: ProjectVault;
    custody: CustodyLog;
    signal: AbortSignal;
  },
  use: (agent: ssh2.BaseAgent, revoke: () => void) => Promise<T>,
): Promise<T> {
  const { specification, vault, custody } = options;
  await custody.report({ action: 'deploy_key.opened' }, options.signal);
  const did = { signs: 0, refusals: 0 };
  try {
    const signer = createDeployKeySigner(
      await vault.open(specification.deploy_key.private_key, 'deploy-key'),
    );
    const agent = createDeployKeyAgent({
      publicKey: publicKeyBlob(specification.deploy_key.public_key),
      sign: (data) => signer.sign(data),
      user: specification.clone.user,
      hostKeys: specification.clone.host_keys.map(publicKeyBlob),
      maxSigns,
      onEvent: (event) => tell(custody, event, did),
    });
    try {
      return await use(agent.agent, agent.revoke);
    } finally {
      agent.revoke();
      signer.close();
      collectSoon();
    }
  } finally {
    void custody.report({ action: 'deploy_key.closed', ...did });
  }
}

/** Not waited for: the agent answers a VM whether the API listens or not. */
function tell(custody: CustodyLog, event: AgentEvent, did: { signs: number; refusals: number }): void {
  if (event.type === 'signed') {
    did.signs = event.signs;
    void custody.report({ action: 'deploy_key.signed', signs: event.signs });
  } else {
    did.refusals += 1;
    void custody.report({ action: 'deploy_key.refused', code: event.code });
  }
}
