import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Image } from './build-image.ts';
import { imageBill } from './image-bill.ts';
import { base } from './recipes.ts';

test('the bill of materials of an image names each Debian package once, as scanners look it up', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ebb-image-bill-'));
  t.after(() => rm(folder, { recursive: true }));
  const packagesPath = join(folder, 'packages');
  const lines = ['openssl 3.0.17-1~deb12u2', 'git 1:2.39.5-0+deb12u2', 'openssl 3.0.17-1~deb12u2'];
  await writeFile(packagesPath, `${lines.join('\n')}\n`);
  const bill = JSON.parse(await imageBill({ name: 'base', digest: 'd1', packagesPath } as Image, base));
  assert.deepEqual([bill.metadata.component.name, bill.metadata.component.version], ['ebb-image-base', 'd1']);
  assert.deepEqual(
    bill.components.map(({ purl }: { purl: string }) => purl),
    [
      'pkg:deb/debian/git@1:2.39.5-0%2Bdeb12u2?arch=amd64&distro=bookworm',
      'pkg:deb/debian/openssl@3.0.17-1~deb12u2?arch=amd64&distro=bookworm',
    ],
  );
});
