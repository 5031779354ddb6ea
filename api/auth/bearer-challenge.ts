/**
 * What `WWW-Authenticate` says to who showed no token, or one that does not do.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6750#section-3
 */
export function bearerChallenge(error?: 'invalid_token' | 'insufficient_scope', scope?: string): string {
  const parameters = { realm: 'Ebb', ...(error && { error }), ...(scope && { scope }) };
  const text = Object.entries(parameters).map(([name, value]) => `${name}="${value}"`);
  return `Bearer ${text.join(', ')}`;
}
