import type { ApiContext } from '../context.ts';
import { notFound } from '../http/problem-error.ts';
import { openRevocation } from './open-revocation.ts';
import { continueProject, type Patience, patience } from './revoke-project.ts';

/** Revokes a project as its route does, waiting for nothing but `limits`. Throws problems. */
export async function revokeProject(
  context: ApiContext,
  projectId: string,
  signal: AbortSignal,
  limits: Patience = patience,
): Promise<{ receiptId: string }> {
  const revocation = await openRevocation(context, { kind: 'project', subject: projectId, by: 'key_test' });
  if (!revocation) throw notFound('project', projectId);
  return { receiptId: await continueProject(context, revocation.id, signal, limits) };
}
