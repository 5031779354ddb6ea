import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { SignJWT } from 'jose';
import { createVerifier } from './verified-tokens.ts';
import { headerOf } from './verify-token.ts';

const start = new Date('2026-01-02T03:04:05Z');
const later = (seconds: number) => new Date(start.getTime() + seconds * 1000);
const [issuer, audience] = ['https://ebb.example', 'ebb'];
const { privateKey, publicKey } = generateKeyPairSync('ed25519');

const sign = async (sub = 'key_1') =>
  await new SignJWT({ sub, team: 'team_1', scope: 'builds:read' })
    .setProtectedHeader(headerOf('kid'))
    .setIssuer(issuer)
    .setAudience(audience)
    .setIssuedAt(start)
    .setJti('1')
    .setExpirationTime(later(900))
    .sign(privateKey);

test('a token that was good once is good until it expires, and not a moment longer', async () => {
  const verify = createVerifier({ issuer, audience });
  const token = await sign();
  assert.equal((await verify(token, publicKey, start))?.sub, 'key_1');
  assert.equal((await verify(token, publicKey, later(899)))?.sub, 'key_1');
  assert.equal(await verify(token, publicKey, later(900)), undefined);
  assert.equal(await verify(token, publicKey, later(-61)), undefined);
});

test('what one key verified is not good with another', async () => {
  const verify = createVerifier({ issuer, audience });
  const token = await sign();
  assert.ok(await verify(token, publicKey, start));
  const other = generateKeyPairSync('ed25519').publicKey;
  assert.equal(await verify(token, other, start), undefined);
});

test('a token that differs in a character from a good one is verified by itself', async () => {
  const verify = createVerifier({ issuer, audience });
  const token = await sign();
  assert.ok(await verify(token, publicKey, start));
  const at = token.length - 10;
  const forged = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
  assert.equal(await verify(forged, publicKey, start), undefined);
  assert.equal((await verify(await sign('key_2'), publicKey, start))?.sub, 'key_2');
});
