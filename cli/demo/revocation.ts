import type { Build } from '../../contract/build.ts';
import type { Receipt } from '../../contract/receipt.ts';
import { CliError } from '../cli-error.ts';
import type { Client } from '../client.ts';
import type { DevSystem } from '../dev/dev-system.ts';
import type { SampleRepository } from '../dev/sample-repository.ts';
import { followBuild } from '../follow-build.ts';
import { describeReceipt, verifyReceipt } from '../verify/verify-receipt.ts';
import type { Narrator } from './narrator.ts';
import { findBuild, whenVmIsGone } from './next-build.ts';
import { askSourceHost } from './source-host-state.ts';
import type { Terraform } from './terraform.ts';

export interface Revocation {
  /** The build that was running. */
  build: Build;
  /** What the source host itself still has. */
  left: { deployKeys: number; hooks: number };
  /** What a token of the project is answered now. */
  tokenStatus: number;
  receipt: Receipt;
  verified: boolean;
}

/** Starts a long build, destroys the stack under it, and looks whether everything is gone. */
export async function revokeDuringBuild(options: {
  system: DevSystem;
  client: Client;
  repository: SampleRepository;
  terraform: Terraform;
  projectId: string;
  narrator: Narrator;
  signal: AbortSignal;
}): Promise<Revocation> {
  const { client, narrator, projectId, repository, signal, system } = options;
  const before = await askSourceHost(system);
  const projectToken = await client.token(projectId);
  narrator.line(
    `before: ${before.deployKeys} deploy key and ${before.hooks} hook at the source host; a project token works (${await client.status(`/v1/projects/${projectId}`, projectToken)})`,
  );
  await repository.edit('setup.sh', (content) => `${content}\necho "ebb demo: a long step"\nsleep 600\n`);
  const commit = await repository.push('Take a long time');
  const started = await findBuild({ client, projectId, commit, signal });
  await whenFirstStepRuns(client, started.id, signal);
  narrator.line(`build #${started.number} runs on its VM; destroying now`);

  const destroy = await narrator.timed('terraform destroy', () =>
    options.terraform.run(['destroy', '-auto-approve', '-input=false']),
  );
  narrator.line(destroy.output.match(/Destroy complete!.*/)?.[0] ?? 'destroyed');
  const receipt = await findReceipt(client, projectId);
  const build = await whenVmIsGone(client, started.id, signal);
  const left = await askSourceHost(system);
  const tokenStatus = await client.status(`/v1/projects/${projectId}`, projectToken);
  narrator.line(
    `after: ${left.deployKeys} deploy keys and ${left.hooks} hooks at the source host; the project token is answered ${tokenStatus}`,
  );
  return { build, left, tokenStatus, receipt, verified: await showReceipt(client, receipt, narrator) };
}

async function whenFirstStepRuns(client: Client, id: string, signal: AbortSignal): Promise<void> {
  const reached = new AbortController();
  let log = '';
  await followBuild(
    client,
    id,
    {
      log(text) {
        log += text;
        if (log.includes('a long step\n')) reached.abort();
      },
    },
    AbortSignal.any([signal, reached.signal]),
  ).then(
    (build) => {
      throw new CliError(`The long build ended early (${build.state}): ${build.reason}`);
    },
    (error) => {
      if (!reached.signal.aborted) throw error;
    },
  );
}

async function findReceipt(client: Client, projectId: string): Promise<Receipt> {
  const page = await client.get<{ items: Receipt[] }>(`/v1/receipts?project_id=${projectId}`);
  const receipt = page.items.find((candidate) => candidate.kind === 'revocation');
  if (!receipt) throw new CliError('The revocation left no receipt.');
  return receipt;
}

async function showReceipt(client: Client, receipt: Receipt, narrator: Narrator): Promise<boolean> {
  const jwks = await client.get<Parameters<typeof verifyReceipt>[0]['jwks']>('/.well-known/jwks.json');
  const verdict = verifyReceipt({ envelope: receipt.envelope, jwks });
  if (!verdict.ok) throw new CliError(`The receipt does not hold: ${verdict.problem}`);
  narrator.line(`receipt ${receipt.id} holds, signed with key ${verdict.keyid}:`);
  for (const line of describeReceipt(verdict.statement)) narrator.line(`  ${line}`);
  return true;
}
