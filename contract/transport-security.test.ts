import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apiProblems, isLoopback, postgresProblems, redisProblems } from './transport-security.ts';

test('only names and addresses of this machine count as loopback', () => {
  for (const host of ['localhost', '127.0.0.1', '127.1.2.3', '[::1]']) assert.ok(isLoopback(host), host);
  for (const host of ['0.0.0.0', 'localhost.example.com', '10.0.0.1', '1127.0.0.1'])
    assert.ok(!isLoopback(host), host);
});

test('Redis elsewhere must be spoken to over TLS', () => {
  assert.deepEqual(redisProblems('redis://127.0.0.1:6379'), []);
  assert.deepEqual(redisProblems('rediss://redis.example.com'), []);
  assert.match(redisProblems('redis://redis.example.com')[0] ?? '', /without TLS. Use rediss/);
});

test('PostgreSQL elsewhere must show a verified certificate', () => {
  assert.deepEqual(postgresProblems('postgresql://a@localhost/b'), []);
  assert.deepEqual(postgresProblems('postgresql://a@db.example.com/b?sslmode=verify-full'), []);
  assert.equal(postgresProblems('postgresql://a@db.example.com/b').length, 1);
  assert.equal(postgresProblems('postgresql://a@db.example.com/b?sslmode=require').length, 1);
});

test('a runner speaks to an API elsewhere over TLS only', () => {
  assert.deepEqual(apiProblems('https://ebb.example.com'), []);
  assert.deepEqual(apiProblems('http://127.0.0.1:4800'), []);
  assert.equal(apiProblems('http://ebb.example.com').length, 1);
});
