import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { bundleProvider } from './executable.ts';
import { installFromArchive } from './install-for-tests.ts';
import { packExecutable } from './release-files.ts';

test('Terraform installs the provider from an archive and starts it', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ebb-packed-'));
  t.after(() => rm(folder, { recursive: true }));
  const program = join(folder, 'provider.cjs');
  await writeFile(program, await bundleProvider());
  // Starts the bundle that an executable of a release holds; those are made by npm run test:provider-release.
  const executable = join(folder, 'launcher');
  await writeFile(executable, `#!/bin/sh\nexec "${process.execPath}" "${program}"\n`);
  const { platform: system, arch: processor } = process as { platform: 'linux'; arch: 'x64' };
  const archive = await packExecutable(folder, { system, processor, executable, nodeLicense: program });
  const schemas = await installFromArchive(t, join(folder, archive));
  assert.ok(schemas.resource_schemas.ebb_project);
});
