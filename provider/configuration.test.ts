import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Environment, readConfiguration, validateConfiguration } from './configuration.ts';
import { DiagnosticError } from './plugin/diagnostic.ts';
import { unknown, type ValueMap } from './plugin/value.ts';

const empty = { endpoint: null, api_key: null, ca_certificate: null };
const good = { endpoint: 'https://ebb.example.com/', api_key: 'ebb_key_1_secret' };

function refused(config: ValueMap, environment: Environment): [unknown, string][] {
  try {
    readConfiguration({ ...empty, ...config }, environment);
  } catch (error) {
    assert.ok(error instanceof DiagnosticError);
    return error.diagnostics.map(({ path, detail }) => [path?.[0], detail]);
  }
  return assert.fail('nothing was refused');
}

test('what is missing is listed whole, with the variables that can give it', () => {
  const [endpoint, apiKey] = refused({}, {});
  assert.equal(endpoint?.[0], 'endpoint');
  assert.match(endpoint?.[1] ?? '', /EBB_ENDPOINT/);
  assert.equal(apiKey?.[0], 'api_key');
  assert.match(apiKey?.[1] ?? '', /EBB_API_KEY, or EBB_API_KEY_FILE/);
});

test('the provider block comes before the environment', () => {
  const environment = { EBB_ENDPOINT: 'https://other.example.com', EBB_API_KEY: 'ebb_other' };
  assert.deepEqual(readConfiguration({ ...empty, ...good }, environment), {
    endpoint: 'https://ebb.example.com',
    apiKey: 'ebb_key_1_secret',
    caCertificate: undefined,
  });
  assert.equal(readConfiguration(empty, environment)?.apiKey, 'ebb_other');
});

test('an API key is read from a file', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ebb-configuration-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'key');
  await writeFile(path, 'ebb_from_file\n');
  const config = { ...empty, endpoint: good.endpoint };
  assert.equal(readConfiguration(config, { EBB_API_KEY_FILE: path })?.apiKey, 'ebb_from_file');
  const problems = refused(config, { EBB_API_KEY_FILE: join(folder, 'none') });
  assert.equal(problems.length, 1);
  assert.match(problems[0]?.[1] ?? '', /file that EBB_API_KEY_FILE names cannot be read/);
});

test('plain http is taken for loopback addresses only', () => {
  for (const endpoint of ['http://127.0.0.1:8080', 'http://localhost', 'http://[::1]:8080']) {
    assert.equal(readConfiguration({ ...empty, ...good, endpoint }, {})?.endpoint, endpoint);
  }
  for (const endpoint of [
    'http://ebb.example.com',
    'http://127.0.0.1.example.com',
    'http://localhost.example.com',
  ]) {
    assert.match(refused({ ...good, endpoint }, {})[0]?.[1] ?? '', /unencrypted: use https/);
  }
});

test('an address that is none is refused', () => {
  assert.match(refused({ ...good, endpoint: 'ebb.example.com' }, {})[0]?.[1] ?? '', /is no address/);
  assert.match(
    refused({ ...good, endpoint: 'ftp://ebb.example.com' }, {})[0]?.[1] ?? '',
    /must begin with https/,
  );
  assert.match(
    refused({ ...good, endpoint: 'https://u:p@ebb.example.com' }, {})[0]?.[1] ?? '',
    /must hold no user/,
  );
});

test('no problem repeats the API key', () => {
  const problems = refused({ ...good, api_key: 'not a key' }, {});
  assert.equal(problems[0]?.[0], 'api_key');
  assert.doesNotMatch(problems[0]?.[1] ?? '', /not a key/);
});

test('a value that is known after apply is not judged', () => {
  assert.equal(readConfiguration({ ...empty, endpoint: unknown }, {}), undefined);
  assert.deepEqual(validateConfiguration({ ...empty, endpoint: unknown }), []);
});

test('validation without environment judges only what is written', () => {
  assert.deepEqual(validateConfiguration(empty), []);
  const wrong = validateConfiguration({ endpoint: 'x', api_key: 'y', ca_certificate: 'z' });
  assert.deepEqual(
    wrong.map(({ path }) => path?.[0]),
    ['endpoint', 'api_key', 'ca_certificate'],
  );
});
