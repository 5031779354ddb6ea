import assert from 'node:assert/strict';
import { test } from 'node:test';
import { claimsMatch } from './claims-match.ts';

const claims = {
  sub: 'repo:acme/shop:ref:refs/heads/main',
  groups: ['dev', 'ops'],
  run: 42,
  ok: true,
  actor: { login: 'ada' },
};

test('each wanted claim must be there with its value, of a list any', () => {
  assert.equal(claimsMatch(claims, { sub: claims.sub, groups: 'ops', run: '42', ok: 'true' }), true);
  assert.equal(claimsMatch(claims, { sub: claims.sub, groups: 'admins' }), false);
  assert.equal(claimsMatch(claims, { missing: '*' }), false);
  assert.equal(claimsMatch(claims, { actor: '*' }), false);
});

test('what every object has is no claim', () => {
  for (const name of ['constructor', 'toString', '__proto__'])
    assert.equal(claimsMatch({}, { [name]: '*' }), false, name);
});

test('a star stands for any characters, and nothing else is special', () => {
  const fits = (value: string, pattern: string) => claimsMatch({ sub: value }, { sub: pattern });
  for (const pattern of [
    '*',
    'repo:*',
    '*main',
    'repo:acme/*:ref:*',
    '*shop*heads*',
    'repo:acme/shop:ref:refs/heads/main*',
  ])
    assert.equal(fits(claims.sub, pattern), true, pattern);
  for (const pattern of [
    '',
    'repo:acme',
    'repo:acme/*x',
    '*shop',
    'REPO:*',
    '.*',
    'repo:acme/shop:ref:refs/heads/mai?',
  ])
    assert.equal(fits(claims.sub, pattern), false, pattern);
  assert.equal(fits('ab', 'ab*b'), false);
  assert.equal(fits('a', 'a*a'), false);
});

test('no pattern takes long', () => {
  const value = 'a'.repeat(1_000);
  assert.equal(claimsMatch({ sub: value }, { sub: `${'a*'.repeat(499)}b` }), false);
});
