import assert from 'node:assert/strict';

/** A browser of a person, over HTTP, that keeps its cookies. */
export function openPerson(url: string) {
  const cookies = new Map<string, string>();
  return {
    async call(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object, team?: string) {
      const headers = {
        ...{ origin: url, cookie: [...cookies].map((pair) => pair.join('=')).join('; ') },
        ...(body && { 'content-type': 'application/json' }),
        ...(team && { 'ebb-team': team }),
      };
      const answer = await fetch(`${url}${path}`, {
        ...{ method, headers, signal: AbortSignal.timeout(60_000) },
        ...(body && { body: JSON.stringify(body) }),
      });
      for (const line of answer.headers.getSetCookie()) {
        const [name = '', value = ''] = (line.split(';')[0] ?? '').split('=');
        cookies.set(name, value);
      }
      const text = await answer.text();
      assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
      return text === '' ? {} : JSON.parse(text);
    },
  };
}
