/**
 * GitHub tells of a failed exchange with status 200, where RFC 6749 (section 5.2) has 400: gives it the status that clients
 * of OAuth know.
 *
 * @see https://docs.github.com/en/apps/oauth-apps/maintaining-oauth-apps/troubleshooting-oauth-app-access-token-request-errors
 */
export function conformingFetch(fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  return async (input, init) => {
    const answer = await fetch(input, init);
    if (answer.status !== 200) return answer;
    const text = await answer.text();
    const { headers } = answer;
    return new Response(text, { status: tellsError(text) ? 400 : 200, headers });
  };
}

function tellsError(text: string): boolean {
  try {
    const said: unknown = JSON.parse(text);
    return typeof said === 'object' && said !== null && 'error' in said;
  } catch {
    return false;
  }
}
