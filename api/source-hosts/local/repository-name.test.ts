import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRepositoryName, requireRepositoryName } from './repository-name.ts';

test('a name may have a folder, a leading slash and a .git suffix', () => {
  assert.equal(parseRepositoryName('shop'), 'shop');
  assert.equal(parseRepositoryName('/shop.git'), 'shop');
  assert.equal(parseRepositoryName('acme/my_shop-2.0.git'), 'acme/my_shop-2.0');
});

test('what could leave the folder or is no name is none', () => {
  const none = [
    '',
    '/',
    '.git',
    '..',
    '../shop',
    'shop/..',
    'a/../b',
    'a/b/c',
    '//shop',
    '-shop',
    '.shop',
    'a//b',
    'a/.git',
    'Shop',
    'a b',
    'a\0b',
    'a\nb',
    'shop.git.git',
    'shop.git/inner',
    'a\\b',
    '~root',
    '$(id)',
    'ü',
    `${'a'.repeat(101)}`,
  ];
  for (const written of none) assert.equal(parseRepositoryName(written), undefined, JSON.stringify(written));
});

test('an impossible name says what a name looks like', () => {
  assert.throws(() => requireRepositoryName('../shop'), {
    code: 'repository_not_found',
    message: /such as "shop"/,
  });
});
