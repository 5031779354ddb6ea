import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FunctionFailure } from '../plugin/provider.ts';
import { parseRepositoryUrl } from './parse-repository-url.ts';

const refusal = (url: string): string => {
  try {
    parseRepositoryUrl.call(url);
  } catch (error) {
    assert.ok(error instanceof FunctionFailure, String(error));
    return error.message;
  }
  assert.fail(`${url} was taken`);
};

test('every form that people copy gives host, repository and name', () => {
  for (const url of [
    'https://github.com/acme/shop.git',
    'https://token@GitHub.com/acme/shop/',
    'git@github.com:acme/shop.git',
    'ssh://git@github.com:2222/acme/shop',
  ]) {
    const expected = { host: 'github.com', repository: 'acme/shop', name: 'shop' };
    assert.deepEqual(parseRepositoryUrl.call(url), expected, url);
  }
});

test('what is no URL of a repository is refused, without a token that stands in it', () => {
  assert.match(refusal('https://github.com/acme/%zz'), /is no URL of a repository: write it like https/);
  const told = refusal('https://ada:hidden@github.com/');
  assert.match(told, /^"https:\/\/github\.com\/" is no URL/);
  assert.doesNotMatch(told, /hidden/);
});
