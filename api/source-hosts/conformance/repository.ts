import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cloneUrl } from '../git-client.ts';
import { type Running, signal } from './fixture.ts';

export function testRepository(get: Running): void {
  test('takes the credential, and tells the host keys that it publishes', async () => {
    const { hostKeys } = await get().host.connect(signal);
    for (const line of hostKeys) assert.match(line, /^(ssh|ecdsa)\S+ [A-Za-z0-9+/=]+$/);
  });

  test('tells the default branch of a repository, and that another does not exist', async () => {
    const { host, repository, missingRepository } = get();
    assert.equal((await host.inspect(repository, signal)).defaultBranch, 'main');
    for (const missing of [missingRepository, '../outside', 'a b', '']) {
      await assert.rejects(host.inspect(missing, signal), {
        name: 'SourceHostError',
        code: 'repository_not_found',
      });
    }
  });

  test('resolves a ref to its commit and nothing else', async () => {
    const { host, repository, client, developer } = get();
    const commit = await client.commitAndPush(host.clone(repository), developer, 'resolve me', 'resolved');
    assert.deepEqual(await host.resolveRef(repository, 'refs/heads/resolved', signal), { commit });
    for (const ref of [
      'refs/heads/absent',
      'refs/heads/resolv',
      'refs/heads/resolved~0',
      'resolved',
      'refs/heads/*',
      '--all',
      '',
    ]) {
      assert.equal(await host.resolveRef(repository, ref, signal), undefined, ref);
    }
  });

  test('lists the branches with their commits, and tells what a commit says', async () => {
    const { host, repository, missingRepository, client, developer } = get();
    const message = 'List me\n\nWith a second paragraph.';
    const commit = await client.commitAndPush(host.clone(repository), developer, message, 'listed');
    const branches = await host.listBranches(repository, signal);
    assert.deepEqual(
      branches.find(({ name }) => name === 'listed'),
      { name: 'listed', commit },
    );
    const described = await host.describeCommit(repository, commit, signal);
    assert.deepEqual(
      { ...described, message: described?.message.trim() },
      { message, author: 'Ada Example' },
    );
    assert.equal(await host.describeCommit(repository, '1'.repeat(40), signal), undefined);
    await assert.rejects(host.listBranches(missingRepository, signal), { code: 'repository_not_found' });
  });

  test('gives an address whose pinned host key the ssh client accepts', async () => {
    const { host, repository, client, developer } = get();
    const source = host.clone(repository);
    assert.match(source.path, /^\//);
    for (const line of source.hostKeys) assert.match(line, /^(ssh|ecdsa)\S+ [A-Za-z0-9+/=]+$/);
    const { code } = await client.git(source, developer, ['ls-remote', cloneUrl(source)]);
    assert.equal(code, 0);
  });
}
