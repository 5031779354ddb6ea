import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseGitCommand } from './git-command.ts';

test('the commands of git clients are understood', () => {
  const shop = { service: 'upload-pack', repository: 'shop' };
  assert.deepEqual(parseGitCommand("git-upload-pack '/shop.git'"), shop);
  assert.deepEqual(parseGitCommand("git upload-pack 'shop'"), shop);
  assert.deepEqual(parseGitCommand('git-upload-pack shop'), shop);
  assert.deepEqual(parseGitCommand("git-receive-pack '/acme/shop.git'"), {
    service: 'receive-pack',
    repository: 'acme/shop',
  });
});

test('everything else is none', () => {
  const none = [
    '',
    'ls',
    'git-upload-pack',
    "git-upload-archive '/shop.git'",
    "git-upload-pack '/../shop.git'",
    "git-upload-pack '/shop.git'; id",
    "git-upload-pack '/shop.git' && id",
    'git-upload-pack $(id)',
    'git-upload-pack `id`',
    "git-upload-pack '--help'",
    'git-upload-pack --upload-pack=id shop',
    "git-upload-pack '/shop.git' '/other.git'",
    "git-upload-pack '/shop.git'\nid",
    "git-upload-pack ''",
    "git-upload-pack '/sh'\\''op.git'",
    "  git-upload-pack 'shop'",
    '/bin/sh -c id',
    "git-upload-pack  'shop'",
  ];
  for (const line of none) assert.equal(parseGitCommand(line), undefined, line);
});
