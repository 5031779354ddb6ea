import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type GithubLoginStandIn, startGithubLogin } from '../../api/people/github/github-login-for-tests.ts';
import { codesOf } from './doctor-for-tests.ts';
import { githubFindings } from './github-findings.ts';

let github: GithubLoginStandIn;
before(async () => {
  github = await startGithubLogin();
});
after(() => github.close());

const settings = () => ({
  EBB_GITHUB_CLIENT_ID: github.clientId,
  EBB_GITHUB_CLIENT_SECRET: github.clientSecret,
  EBB_GITHUB_URL: github.url,
  EBB_PUBLIC_URL: 'http://127.0.0.1:4800',
});

test('an app that GitHub knows leaves nothing open, nor does none', async () => {
  assert.deepEqual(await githubFindings(settings()), []);
  assert.deepEqual(await githubFindings({ ...settings(), EBB_GITHUB_CLIENT_ID: undefined as never }), []);
  assert.deepEqual(github.violations, []);
});

test('a secret that GitHub does not take is found, and not shown', async () => {
  const found = await githubFindings({ ...settings(), EBB_GITHUB_CLIENT_SECRET: 'wrong-secret' });
  assert.deepEqual(codesOf(found), ['github_refuses_credentials']);
  assert.ok(!JSON.stringify(found).includes('wrong-secret'));
});

test('a GitHub that does not answer, or that the API may not reach, is found with the reason', async () => {
  const away = await githubFindings({ ...settings(), EBB_GITHUB_URL: 'http://127.0.0.1:1' });
  assert.deepEqual(codesOf(away), ['github_unreachable']);
  const inside = await githubFindings({ ...settings(), EBB_SOURCE_HOST_NETWORKS: '10.0.0.0/8' });
  assert.deepEqual(codesOf(inside), ['github_unreachable']);
  assert.match(inside[0]?.what ?? '', /not a public one/);
});
