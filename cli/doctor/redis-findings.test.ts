import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freePort } from '../../queue/free-port.ts';
import { codesOf, redisWith } from './doctor-for-tests.ts';
import { redisFindings } from './redis-findings.ts';

const sound = ['requirepass right', 'appendonly yes', 'maxmemory-policy noeviction'];
const urlOf = (port: number, user = ':right@') => `redis://${user}127.0.0.1:${port}`;

test('a Redis with a password that keeps everything is fine', async (t) => {
  assert.deepEqual(await redisFindings({ url: urlOf(await redisWith(t, sound)) }), []);
});

test('a Redis that takes everybody is found, whatever password the URL has', async (t) => {
  const port = await redisWith(t, sound.slice(1));
  for (const url of [urlOf(port, ''), `${urlOf(port, '')}/1`])
    assert.deepEqual(codesOf(await redisFindings({ url })), ['redis_without_password']);
});

test('a Redis that throws entries away or forgets them is found', async (t) => {
  const port = await redisWith(t, ['requirepass right', 'maxmemory-policy allkeys-lru', 'appendonly no']);
  assert.deepEqual(codesOf(await redisFindings({ url: urlOf(port) })), ['redis_evicts', 'redis_forgets']);
});

test('where Redis does not tell its settings, that is said', async (t) => {
  const port = await redisWith(t, [...sound, 'user ebb on >other ~* &* +@all -config']);
  const found = await redisFindings({ url: urlOf(port, 'ebb:other@') });
  assert.deepEqual(codesOf(found), ['redis_settings_not_checked']);
});

test('a Redis that does not answer, or does not take the password, is found', async (t) => {
  const nobody = await redisFindings({ url: urlOf(await freePort()) });
  const wrong = await redisFindings({ url: urlOf(await redisWith(t, sound), ':wrong-one@') });
  for (const found of [nobody, wrong]) assert.deepEqual(codesOf(found), ['redis_unreachable']);
  assert.doesNotMatch(JSON.stringify(wrong), /wrong-one/);
});
