import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PullRequestEvent, PushEvent } from '../source-hosts/webhook-event.ts';
import { judgeEvent } from './judge-event.ts';

const binding = {
  branches: ['main', 'release/*'],
  tags: ['v*'],
  events: ['push' as const, 'pull_request' as const],
};
const commit = 'c'.repeat(40);
const push: PushEvent = {
  event: 'push',
  delivery: 'd',
  repository: 'acme/shop',
  ref: 'refs/heads/main',
  before: '0'.repeat(40),
  commit,
  deleted: false,
  message: 'A commit',
  author: 'Ada',
  skip: false,
};
const request: PullRequestEvent = {
  event: 'pull_request',
  delivery: 'd',
  repository: 'acme/shop',
  action: 'changed',
  number: 7,
  ref: 'refs/pull/7/head',
  commit,
  headBranch: 'idea',
  baseBranch: 'main',
  fromFork: false,
  title: 'An idea',
  author: 'ada',
};

const whyNot = (event: PushEvent | PullRequestEvent, to = binding) => {
  const verdict = judgeEvent(to, event);
  return 'ignored' in verdict ? verdict.ignored : 'builds';
};

test('a push to a branch that a pattern names is built', () => {
  assert.deepEqual(judgeEvent(binding, push), {
    build: { trigger: 'push', ref: 'refs/heads/main', branch: 'main', commit, message: 'A commit' },
  });
});

test('a tag is built where a pattern for tags names it, whatever the branches are', () => {
  assert.equal(whyNot({ ...push, ref: 'refs/tags/v2' }), 'builds');
  assert.match(whyNot({ ...push, ref: 'refs/tags/main' }), /no pattern for the tag main/);
});

test('what asks to be skipped, is deleted or is bound to nothing says so', () => {
  assert.match(whyNot({ ...push, skip: true }), /asks to skip/);
  assert.match(whyNot({ ...push, deleted: true }), /branch was deleted/);
  assert.match(whyNot({ ...push, ref: 'refs/tags/v1', deleted: true }), /tag was deleted/);
  assert.match(whyNot(push, { ...binding, events: ['pull_request'] }), /not bound to pushes/);
  assert.match(whyNot(request, { ...binding, events: ['push'] }), /not bound to pull requests/);
});

test('a pull request of the repository is built as it is, one of a fork as a stranger', () => {
  const own = judgeEvent(binding, request);
  assert.ok('build' in own);
  assert.deepEqual(own.build.pullRequest, { number: 7, fromFork: false });
  assert.deepEqual([own.build.trigger, own.build.ref], ['pull_request', 'refs/pull/7/head']);
  const foreign = judgeEvent(binding, { ...request, fromFork: true, headBranch: 'main' });
  assert.ok('build' in foreign);
  assert.deepEqual(foreign.build.pullRequest, { number: 7, fromFork: true });
});

test('a commit that its push builds already is not built for the pull request again', () => {
  assert.match(whyNot({ ...request, headBranch: 'release/1' }), /The push to release\/1/);
  const only = { ...binding, events: ['pull_request' as const] };
  assert.equal(whyNot({ ...request, headBranch: 'release/1' }, only), 'builds');
});

test('a pull request into a branch that no pattern names, and one that only changes its words, start nothing', () => {
  assert.match(whyNot({ ...request, baseBranch: 'next' }), /no pattern for the branch next/);
  assert.match(whyNot({ ...request, action: 'other' }), /starts no build/);
  assert.deepEqual(judgeEvent(binding, { ...request, action: 'closed' }), {
    ignored: 'Pull request 7 was closed.',
    closed: 7,
  });
});
