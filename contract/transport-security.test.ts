import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  apiProblems,
  isLoopback,
  postgresNeedsTls,
  postgresProblems,
  redisProblems,
} from './transport-security.ts';

test('only names and addresses of this machine count as loopback', () => {
  for (const host of ['localhost', '127.0.0.1', '127.1.2.3', '[::1]']) assert.ok(isLoopback(host), host);
  for (const host of [
    '0.0.0.0',
    'localhost.example.com',
    '10.0.0.1',
    '1127.0.0.1',
    '127.example.com',
    '127.1',
  ])
    assert.ok(!isLoopback(host), host);
});

test('Redis elsewhere must be spoken to over TLS', () => {
  assert.deepEqual(redisProblems('redis://127.0.0.1:6379'), []);
  assert.deepEqual(redisProblems('rediss://redis.example.com'), []);
  assert.match(redisProblems('redis://redis.example.com')[0] ?? '', /without TLS. Use rediss/);
});

test('PostgreSQL elsewhere is spoken to with a verified certificate, and no URL can say otherwise', () => {
  const elsewhere = 'postgres://a@db.example.com/b';
  for (const url of ['postgresql://a@localhost/b', elsewhere, `${elsewhere}?sslmode=verify-full`])
    assert.deepEqual(postgresProblems(url), [], url);
  for (const mode of ['disable', 'prefer', 'require', 'no-verify', 'verify-ca'])
    assert.match(
      postgresProblems(`${elsewhere}?sslmode=${mode}`)[0] ?? '',
      /leaves the certificate unverified/,
    );
  for (const parameter of ['ssl=0', 'sslrootcert=/a', 'sslcert=/a', 'sslkey=/a', 'uselibpqcompat=true'])
    assert.match(postgresProblems(`${elsewhere}?${parameter}`)[0] ?? '', /is not read/);
  assert.equal(postgresProblems('postgres://a@localhost/b?host=db.example.com&sslmode=disable').length, 1);
});

test('PostgreSQL is spoken to over TLS elsewhere always, and on this machine when that is asked for', () => {
  assert.ok(postgresNeedsTls('postgres://a@db.example.com/b', false));
  assert.ok(postgresNeedsTls('postgres://a@localhost/b?host=db.example.com', false));
  assert.ok(!postgresNeedsTls('postgres://a@localhost/b', false));
  assert.ok(!postgresNeedsTls('postgres://a@localhost/b?host=/run/postgresql', false));
  assert.ok(postgresNeedsTls('postgres://a@localhost/b', true));
  assert.ok(postgresNeedsTls('postgres://a@localhost/b?sslmode=verify-full', false));
});

test('a runner speaks to an API elsewhere over TLS only', () => {
  assert.deepEqual(apiProblems('EBB_API_URL', 'https://ebb.example.com'), []);
  assert.deepEqual(apiProblems('EBB_API_URL', 'http://127.0.0.1:4800'), []);
  assert.equal(apiProblems('EBB_API_URL', 'http://ebb.example.com').length, 1);
});
