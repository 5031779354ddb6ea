import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cloneUrl } from '../git-client.ts';
import { type Running, signal } from './fixture.ts';

export function testDeployKeys(get: Running): void {
  test('a deploy key reads its repository and no other, and pushes to none', async () => {
    const { host, repository, otherRepository, client, developer } = get();
    const commit = await client.commitAndPush(host.clone(repository), developer, 'read me');
    const key = await client.makeKey();
    const source = host.clone(repository);
    const other = host.clone(otherRepository);
    const readsBefore = await client.git(source, key, ['ls-remote', cloneUrl(source)]);
    assert.equal(readsBefore.code, 128);

    const { id } = await host.addDeployKey(repository, { title: 'ci', publicKey: key.publicKey }, signal);
    const work = `${client.folder}/deploy-key`;
    assert.equal((await client.git(source, key, ['clone', '--quiet', cloneUrl(source), work])).code, 0);
    assert.equal((await client.git(source, key, ['-C', work, 'rev-parse', 'HEAD'])).stdout.trim(), commit);
    assert.equal((await client.git(other, key, ['ls-remote', cloneUrl(other)])).code, 128);
    const push = await client.git(source, key, ['-C', work, 'push', 'origin', 'HEAD:refs/heads/stolen']);
    assert.notEqual(push.code, 0);
    assert.match(push.stderr, /read.only|only read/i);
    assert.equal(await host.resolveRef(repository, 'refs/heads/stolen', signal), undefined);

    assert.equal(await host.removeDeployKey(repository, id, signal), 'removed');
    assert.equal((await client.git(source, key, ['ls-remote', cloneUrl(source)])).code, 128);
  });

  test('a deploy key is found until it is removed; adding it again changes nothing', async () => {
    const { host, repository, missingRepository, client } = get();
    const { publicKey } = await client.makeKey();
    const { id } = await host.addDeployKey(repository, { title: 'ci', publicKey }, signal);
    assert.deepEqual(await host.addDeployKey(repository, { title: 'again', publicKey }, signal), { id });
    const found = await host.findDeployKey(repository, id, signal);
    assert.equal(found?.title, 'ci');
    assert.equal(found?.publicKey.split(' ')[1], publicKey.split(' ')[1]);
    assert.equal(await host.removeDeployKey(repository, id, signal), 'removed');
    assert.equal(await host.findDeployKey(repository, id, signal), undefined);
    assert.equal(await host.removeDeployKey(repository, id, signal), 'absent');
    assert.equal(await host.findDeployKey(missingRepository, id, signal), undefined);
    assert.equal(await host.removeDeployKey(missingRepository, id, signal), 'absent');
  });

  test('a deploy key is looked up by what it is, also when somebody removed it and added it again', async () => {
    const { host, repository, missingRepository, client } = get();
    const { publicKey } = await client.makeKey();
    assert.equal(await host.lookUpDeployKey(repository, publicKey, signal), undefined);
    const first = await host.addDeployKey(repository, { title: 'ci', publicKey }, signal);
    await host.removeDeployKey(repository, first.id, signal);
    const second = await host.addDeployKey(repository, { title: 'by hand', publicKey }, signal);
    const found = await host.lookUpDeployKey(
      repository,
      `${publicKey.split(' ', 2).join(' ')} other`,
      signal,
    );
    assert.equal(found?.id, second.id);
    assert.equal(found?.title, 'by hand');
    assert.equal(await host.removeDeployKey(repository, second.id, signal), 'removed');
    assert.equal(await host.lookUpDeployKey(repository, publicKey, signal), undefined);
    const missing = host.lookUpDeployKey(missingRepository, publicKey, signal);
    await assert.rejects(missing, { code: 'repository_not_found' });
  });

  test('a key that is in use elsewhere, or is none, is refused', async () => {
    const { host, repository, otherRepository, missingRepository, client, developer } = get();
    const { sharesDeployKeys = false } = get();
    const { publicKey } = await client.makeKey();
    const { id } = await host.addDeployKey(repository, { title: 'ci', publicKey }, signal);
    const add = (name: string, line: string) =>
      host.addDeployKey(name, { title: 'ci', publicKey: line }, signal);
    if (!sharesDeployKeys) await assert.rejects(add(otherRepository, publicKey), { code: 'key_in_use' });
    await assert.rejects(add(repository, developer.publicKey), { code: 'key_in_use' });
    await assert.rejects(add(repository, 'no key'), { code: 'refused' });
    await assert.rejects(add(missingRepository, publicKey), { code: 'repository_not_found' });
    await host.removeDeployKey(repository, id, signal);
    const moved = await add(otherRepository, publicKey);
    assert.equal(await host.removeDeployKey(otherRepository, moved.id, signal), 'removed');
  });
}
