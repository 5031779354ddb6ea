import { clockFindings } from './clock-findings.ts';
import type { Finding } from './finding.ts';

const timeoutMs = 5_000;

/** Whether a runner reaches the API, and whether their clocks agree. */
export async function apiReachFindings(url: string, now: () => Date): Promise<Finding[]> {
  const address = new URL(url);
  address.pathname = `${address.pathname.replace(/\/+$/, '')}/v1/health`;
  try {
    const answer = await fetch(address, { signal: AbortSignal.timeout(timeoutMs), redirect: 'error' });
    await answer.body?.cancel();
    const date = new Date(answer.headers.get('date') ?? Number.NaN);
    return [
      ...(answer.ok ? [] : [notThere(address.host, `it answers ${answer.status}`)]),
      ...(Number.isNaN(date.getTime()) ? [] : clockFindings('the API', date, now())),
    ];
  } catch (error) {
    const { cause, message } = error as Error & { cause?: { code?: string } };
    return [notThere(address.host, cause?.code ?? message)];
  }
}

const notThere = (host: string, reason: string): Finding => ({
  ...{ code: 'api_unreachable', severity: 'high' },
  what: `The API does not answer at ${host} (EBB_API_URL): ${reason}.`,
  why: 'This runner gets no builds, and whether its clock is right could not be looked at.',
  fix: 'Start the API, or correct EBB_API_URL; an authority of your own goes into NODE_EXTRA_CA_CERTS.',
});
