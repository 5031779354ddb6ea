import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

/** A platform that gives its workloads tokens, as OpenID Connect describes it. */
export interface IssuerForTests {
  issuer: string;
  /** How often its keys were asked for. */
  asked(): number;
  /** A token that is good for five minutes; `header` and `payload` change what stands in it. */
  token(payload?: Record<string, unknown>, header?: { kid?: string; alg?: string }): Promise<string>;
  /** Signs with another key from now on, and shows that alone. */
  rollOver(): Promise<void>;
  /** Answers every request so, until it is undefined again. */
  answer: { status: number; body: string } | undefined;
  /** The same of requests for its keys. */
  keysAnswer: { status: number; body: string } | undefined;
  close(): void;
}

export async function startIssuer(): Promise<IssuerForTests> {
  let count = 0;
  let asked = 0;
  const newKey = async () => {
    count += 1;
    return { kid: `key-${count}`, ...(await generateKeyPair('ES256', { extractable: true })) };
  };
  let key = await newKey();
  const server = createServer((request, response) => {
    const keysAt = '/keys';
    if (request.url === keysAt) asked += 1;
    const answer = running.answer ?? (request.url === keysAt ? running.keysAnswer : undefined);
    if (answer) return response.writeHead(answer.status).end(answer.body);
    if (request.url === keysAt)
      return void exportJWK(key.publicKey).then((jwk) =>
        response.end(JSON.stringify({ keys: [{ ...jwk, kid: key.kid, alg: 'ES256', use: 'sig' }] })),
      );
    if (request.url === '/.well-known/openid-configuration')
      return response.end(JSON.stringify({ issuer, jwks_uri: `${issuer}${keysAt}` }));
    return response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const running: IssuerForTests = {
    issuer,
    asked: () => asked,
    answer: undefined,
    keysAnswer: undefined,
    token: async (payload = {}, header = {}) => {
      const now = Math.floor(Date.now() / 1000);
      const usual = {
        iss: issuer,
        aud: 'ebb',
        sub: 'repo:acme/shop:ref:refs/heads/main',
        iat: now,
        exp: now + 300,
      };
      const claims = Object.fromEntries(
        Object.entries({ ...usual, ...payload }).filter(([, value]) => value !== undefined),
      );
      return await new SignJWT(claims)
        .setProtectedHeader({ alg: 'ES256', kid: key.kid, ...header })
        .sign(key.privateKey);
    },
    rollOver: async () => {
      key = await newKey();
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
  return running;
}
