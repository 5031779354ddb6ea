import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { pluginFolder } from './plugin-folder.ts';

test('the folder is the one that Terraform looks into on each system', () => {
  assert.equal(pluginFolder('/home/ada', {}, 'linux'), join('/home/ada', '.terraform.d', 'plugins'));
  assert.equal(pluginFolder('/home/ada', {}, 'darwin'), join('/home/ada', '.terraform.d', 'plugins'));
  assert.equal(
    pluginFolder('/home/ada', { APPDATA: '/roaming' }, 'win32'),
    join('/roaming', 'terraform.d', 'plugins'),
  );
});
