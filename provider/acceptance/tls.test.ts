import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { selfSignedCertificate } from '../plugin/certificate.ts';
import { startFakeApi } from './fake-api.ts';
import { projectConfiguration } from './setting.ts';
import { createWorkspace } from './terraform.ts';

test('an API with a certificate of its own is trusted when the certificate is given, and only then', async (t) => {
  const { certificatePem, privateKeyPem } = selfSignedCertificate();
  const api = await startFakeApi({ key: privateKeyPem, cert: certificatePem });
  t.after(api.close);
  const environment = { EBB_ENDPOINT: api.endpoint, EBB_API_KEY: api.apiKey };
  const workspace = await createWorkspace({ ...environment, EBB_CA_CERTIFICATE_FILE: 'ca.pem' });
  t.after(workspace.remove);
  await writeFile(join(workspace.folder, 'ca.pem'), certificatePem);
  await workspace.write(projectConfiguration('  name = "shop"'));
  const trusted = await workspace.terraform('apply', '-auto-approve', '-no-color');
  assert.equal(trusted.code, 0, trusted.output);

  await writeFile(join(workspace.folder, 'ca.pem'), selfSignedCertificate().certificatePem);
  const distrusted = await workspace.terraform('plan', '-no-color');
  assert.equal(distrusted.code, 1);
  assert.match(distrusted.output, /self-signed certificate/);
});
