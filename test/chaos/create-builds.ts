import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '../../cli/client.ts';
import type { Build } from '../../contract/build.ts';
import type { ProjectUnderTest } from './teams.ts';

/** A build that the API has accepted. */
export interface Accepted {
  id: string;
  project: ProjectUnderTest;
  cancelled: boolean;
}

const callMs = 10_000;
const pauseMs = 300;

/** Starts a build as a careful program does: with an idempotency key, again and again until there is an answer. */
export async function createBuild(
  apiUrl: string,
  project: ProjectUnderTest,
  signal: AbortSignal,
): Promise<Accepted> {
  const key = randomUUID();
  const { id } = await untilAnswered(signal, async () => {
    const token = await createClient({ endpoint: apiUrl, apiKey: project.apiKey }).token();
    return await fetch(`${apiUrl}/v1/builds`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'idempotency-key': key,
      },
      body: JSON.stringify({ project_id: project.id }),
      signal: AbortSignal.timeout(callMs),
    });
  });
  return { id, project, cancelled: false };
}

/** Cancels a build, again and again until that is answered. */
export async function cancelBuild(apiUrl: string, build: Accepted, signal: AbortSignal): Promise<void> {
  build.cancelled = true;
  await untilAnswered(signal, async () => {
    const token = await createClient({ endpoint: apiUrl, apiKey: build.project.apiKey }).token();
    return await fetch(`${apiUrl}/v1/builds/${build.id}/cancel`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(callMs),
    });
  });
}

async function untilAnswered(signal: AbortSignal, call: () => Promise<Response>): Promise<Build> {
  for (;;) {
    signal.throwIfAborted();
    const answer = await call().catch(() => undefined);
    const body = (await answer?.json().catch(() => undefined)) as { code?: string } | undefined;
    if (answer?.ok && body) return body as unknown as Build;
    // A first request with this key that died is looked at again after a minute; whatever else is refused is a mistake here.
    if (answer && answer.status < 500 && body?.code !== 'request_in_progress')
      throw new Error(`The API answered ${answer.status}: ${JSON.stringify(body)}`);
    await sleep(pauseMs);
  }
}
