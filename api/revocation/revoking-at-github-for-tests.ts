import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { describeReceipt, verifyReceipt } from '../../cli/verify/verify-receipt.ts';
import {
  declareAtGithub,
  type GithubContext,
  openGithubContext,
} from '../source-hosts/github/github-project-for-tests.ts';
import { resumeRevocations } from './resume-revocations.ts';

export type Declared = Awaited<ReturnType<typeof declareAtGithub>>;

const docs = { documentation_url: 'https://docs.github.com/rest' };
export const notFound = { status: 404, body: { message: 'Not Found', ...docs } };

/** A control plane with GitHub beside it for the tests of one suite, and what they do with it. */
export function revokingAtGithub(signal: AbortSignal) {
  let given: GithubContext;
  before(async () => {
    given = await openGithubContext();
  });
  afterEach(() => {
    delete given.github.limit.of;
    given.github.token.revoked = false;
  });
  after(async () => {
    await given.close();
    assert.deepEqual(given.github.violations, []);
  });

  const archived = {
    status: 403,
    body: { message: 'Repository was archived so is read-only.', ...docs },
  };
  const refuseRemovals = () => {
    given.github.limit.of = (method) => (method === 'DELETE' ? archived : undefined);
  };
  const revoke = (project: { id: string }, body?: object) =>
    given.admin.call('POST', `/v1/projects/${project.id}/revoke`, body);
  const revocationOf = async (project: { id: string }) => {
    const { body } = await given.admin.call('GET', '/v1/revocations?limit=200');
    return body.items.find(({ subject }: { subject: string }) => subject === project.id);
  };
  /** As if the time until the next try had passed. */
  const resume = async () => {
    const past = new Date(Date.now() - 1_000);
    await given.context.database.updateTable('revocation').set({ next_try_at: past }).execute();
    await resumeRevocations(given.context, signal);
  };
  const told = async (receiptId: string): Promise<string> => {
    const { body } = await given.admin.call('GET', `/v1/receipts/${receiptId}`);
    const verdict = verifyReceipt({ envelope: body.envelope, jwks: given.context.signer.jwks() });
    assert.ok(verdict.ok, verdict.ok ? '' : verdict.problem);
    return describeReceipt(verdict.statement).join('\n');
  };
  const removeByHand = ({ repository }: Declared) => {
    const { keys, hooks } = given.github.repository(repository);
    keys.clear();
    hooks.clear();
  };
  const wrappedKey = async ({ project }: Declared) =>
    (
      await given.context.database
        .selectFrom('project')
        .select('wrapped_private_key')
        .where('id', '=', project.id)
        .executeTakeFirstOrThrow()
    ).wrapped_private_key;
  const audited = async (subject: string): Promise<string[]> => {
    const { body } = await given.admin.call('GET', `/v1/audit-events?limit=100&subject=${subject}`);
    return body.items.map(({ action }: { action: string }) => action).reverse();
  };
  const hide = () => {
    given.github.limit.of = () => notFound;
  };
  return {
    given: () => given,
    declare: () => declareAtGithub(given),
    ...{ refuseRemovals, hide, removeByHand },
    ...{ revoke, revocationOf, resume, told, wrappedKey, audited },
  };
}
