import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import type { Workspace } from '../provider/acceptance/terraform.ts';
import { openPerson } from './person-for-tests.ts';
import { explains, startTerraformSetting, succeeds, type TerraformSetting } from './terraform-setting.ts';

// A team and its people, to the end of both: the steps are one life and go in their order.
let setting: TerraformSetting;
let workspace: Workspace;
let ada: ReturnType<typeof openPerson>;

before(async () => {
  setting = await startTerraformSetting(AbortSignal.timeout(550_000));
  workspace = await setting.workspace();
  ada = openPerson(setting.api.url);
});
after(() => setting?.close());

const email = 'ada@example.com';
const member = (role: string, address = email) =>
  `resource "ebb_team_member" "ada" {\n  email = "${address}"\n  role = "${role}"\n}\n`;
const team = (lines = '', name = 'default') =>
  `resource "ebb_team" "own" {\n  name = "${name}"\n${lines}\n}\n`;

const becomes = async (configuration: string) => {
  await workspace.write(configuration);
  await succeeds(workspace, 'apply', '-auto-approve');
  await succeeds(workspace, 'plan', '-detailed-exitcode');
};
const stateOf = async (address: string): Promise<Record<string, unknown>> => {
  const shown = JSON.parse(await succeeds(workspace, 'show', '-json'));
  const all: { address: string; values: Record<string, unknown> }[] = shown.values.root_module.resources;
  return all.find((one) => one.address === address)?.values ?? assert.fail(`${address} is in no state`);
};
const plansChanges = async () => {
  const { code, output } = await workspace.terraform('plan', '-detailed-exitcode', '-no-color');
  assert.equal(code, 2, output);
  return output;
};

test('a role or an address that is none is told before anything is asked', async () => {
  await workspace.write(member('admin'));
  assert.match(
    await explains(workspace, 'validate'),
    /"admin" is not valid\. It must be one of: viewer, maintainer, owner/,
  );
  for (const wrong of ['Ada@example.com', 'ada', 'ada@example.com,eve@example.com']) {
    await workspace.write(member('viewer', wrong));
    const told = await explains(workspace, 'validate');
    assert.match(told, /Invalid value for email/);
    assert.match(told, /in lower case, such as `ada@example\.com`/);
  }
});

test('who is declared is invited, joins by the link, and stays the same resource', async () => {
  await becomes(member('owner'));
  const invited = await stateOf('ebb_team_member.ada');
  assert.equal(invited.status, 'invited');
  const invitation = await setting.mailed('Invitation to the team default');
  assert.ok(!String(await workspace.read('terraform.tfstate')).includes(invitation), 'no link in the state');
  await ada.call('POST', '/v1/sign-in', { email });
  await ada.call('POST', '/v1/session', { token: await setting.mailed('Sign') });
  const joined = await ada.call('POST', '/v1/invitations/accept', { token: invitation });
  assert.equal(joined.member_id, invited.id);
  await becomes(member('owner'));
  assert.partialDeepStrictEqual(await stateOf('ebb_team_member.ada'), {
    ...{ id: invited.id, status: 'member', expires_at: null, email, role: 'owner', team: 'default' },
  });
});

test('the last owner is neither changed nor removed, and the message says what to do', async () => {
  await workspace.write(member('viewer'));
  const changed = await explains(workspace, 'apply', '-auto-approve');
  assert.match(changed, /Cannot update the team member.*last owner.*Make somebody else an owner first/);
  await workspace.write(member('owner'));
  const destroyed = await explains(workspace, 'destroy', '-auto-approve');
  assert.match(destroyed, /Cannot delete the team member.*last owner/);
});

test('who is in the team already is imported, by address or id, and not invited', async () => {
  const { id } = await stateOf('ebb_team_member.ada');
  await succeeds(workspace, 'state', 'rm', 'ebb_team_member.ada');
  const told = await explains(workspace, 'apply', '-auto-approve');
  assert.match(
    told,
    /is in the team already.*terraform import ebb_team_member\.NAME default\/ada@example\.com/,
  );
  for (const wanted of [`default/${email}`, String(id)]) {
    await succeeds(workspace, 'import', 'ebb_team_member.ada', wanted);
    assert.equal((await stateOf('ebb_team_member.ada')).id, id);
    await succeeds(workspace, 'plan', '-detailed-exitcode');
    await succeeds(workspace, 'state', 'rm', 'ebb_team_member.ada');
  }
});

test('a member changes in place, and one who left is invited again', async () => {
  const second = (role: string) => `${member(role, 'grace@example.com')}`;
  await becomes(second('maintainer'));
  const invitation = await setting.mailed('Invitation to the team default');
  const grace = openPerson(setting.api.url);
  await grace.call('POST', '/v1/sign-in', { email: 'grace@example.com' });
  await grace.call('POST', '/v1/session', { token: await setting.mailed('Sign') });
  await grace.call('POST', '/v1/invitations/accept', { token: invitation });
  await becomes(second('maintainer'));
  const { id } = await stateOf('ebb_team_member.ada');
  await becomes(second('viewer'));
  assert.partialDeepStrictEqual(await stateOf('ebb_team_member.ada'), { id, role: 'viewer' });
  await grace.call('DELETE', `/v1/team/members/${id}`, undefined, 'default');
  assert.match(await plansChanges(), /ebb_team_member\.ada will be created/);
  await becomes(second('viewer'));
  assert.notEqual((await stateOf('ebb_team_member.ada')).id, id);
});

test('an invitation that ran out is planned anew; a plan of before is told why it does not fit', async () => {
  await workspace.write(member('maintainer', 'grace@example.com'));
  await succeeds(workspace, 'plan', '-out=saved');
  const database = new pg.Client(setting.databaseUrl);
  await database.connect();
  await database.query(`update invitation set expires_at = now() - interval '1 s' where accepted_at is null`);
  await database.end();
  const told = await explains(workspace, 'apply', 'saved');
  assert.match(told, /The invitation of grace@example\.com ran out at .*plan and apply again/);
  assert.match(await plansChanges(), /ebb_team_member\.ada will be created/);
  await becomes(member('maintainer', 'grace@example.com'));
  await succeeds(workspace, 'destroy', '-auto-approve');
  const { items } = await setting.api.client.get<{ items: { email: string }[] }>('/v1/team/members');
  assert.deepEqual(
    items.map((one) => one.email),
    [email],
  );
});

test('a key without owners:write neither makes an owner nor removes one', async () => {
  const scopes = ['members:read', 'members:write', 'projects:read', 'projects:write', 'builds:read'];
  const more = ['builds:write', 'builds:approve', 'logs:read', 'receipts:read', 'audit:read', 'team:revoke'];
  const rest = ['keys:read', 'keys:write', 'grants:write'];
  const { secret } = await setting.api.client.post<{ secret: string }>('/v1/api-keys', {
    ...{ name: 'terraform', scopes: [...scopes, ...more, ...rest] },
  });
  const narrow = await setting.workspace({ EBB_API_KEY: secret });
  await narrow.write(member('owner', 'eve@example.com'));
  const made = await explains(narrow, 'apply', '-auto-approve');
  assert.match(made, /role may give only what your own token has; it lacks owners:write/);
  await narrow.write(member('owner'));
  await succeeds(narrow, 'import', 'ebb_team_member.ada', `default/${email}`);
  await narrow.write(member('viewer'));
  assert.match(await explains(narrow, 'apply', '-auto-approve'), /scope owners:write, which the token lacks/);
  assert.match(
    await explains(narrow, 'destroy', '-auto-approve'),
    /scope owners:write, which the token lacks/,
  );
});

test('a team is the key’s own: found, changed, imported, repaired, read, and never another', async () => {
  await workspace.write(team('', 'another'));
  const other = await explains(workspace, 'apply', '-auto-approve');
  assert.match(other, /API key belongs to the team "default", and not to "another"/);
  await becomes(team('  limit_by_team = 3'));
  const { id } = await stateOf('ebb_team.own');
  const share = () => setting.api.client.get<Record<string, unknown>>('/v1/team/share');
  assert.partialDeepStrictEqual(await share(), { limit_by_team: 3, paused_by_team: null });
  await becomes(`${team('  limit_by_team = 2\n  paused_by_team = "A move."')}
data "ebb_team" "by_id" {
  id = ebb_team.own.id
}
data "ebb_team" "by_name" {
  natural_id = ebb_team.own.name
}
`);
  assert.partialDeepStrictEqual(await share(), { limit_by_team: 2, paused_by_team: 'A move.' });
  for (const name of ['by_id', 'by_name'])
    assert.partialDeepStrictEqual(await stateOf(`data.ebb_team.${name}`), {
      ...{ id, name: 'default', limit_by_team: 2, paused_by_team: 'A move.', deletion_protection: true },
    });
  await becomes(team());
  const declared = await stateOf('ebb_team.own');
  for (const wanted of ['default', String(id)]) {
    await succeeds(workspace, 'state', 'rm', 'ebb_team.own');
    await succeeds(workspace, 'import', 'ebb_team.own', wanted);
    assert.deepEqual(await stateOf('ebb_team.own'), declared);
  }
  await workspace.write(team('  paused_by_team = "A move."'));
  await succeeds(workspace, 'apply', '-auto-approve');
  await workspace.write(team());
  assert.match(await plansChanges(), /ebb_team\.own will be updated in-place/);
  await becomes(team());
  await workspace.write(team('', 'renamed'));
  const renamed = await explains(workspace, 'apply', '-auto-approve');
  assert.match(renamed, /the team is default and keeps its name/);
  await workspace.write(team());
});

test('a destruction is refused while the team is protected', async () => {
  const told = await explains(workspace, 'destroy', '-auto-approve');
  assert.match(
    told,
    /Cannot delete the team.*deletion_protection is on.*set deletion_protection to false first/,
  );
  assert.equal((await setting.api.client.get<{ name: string }>('/v1/team')).name, 'default');
});

test('without protection a destruction revokes the team with all in it, its last owner too, and tells the receipt', async () => {
  setting.makeRepositories('shop');
  const all = `${member('owner')}
resource "ebb_connection" "local" {
  name = "local"
  kind = "local"
}
resource "ebb_project" "shop" {
  connection_id = ebb_connection.local.id
  name          = "shop"
  repository    = "shop"
}
${team('  deletion_protection = false\n  depends_on = [ebb_team_member.ada]')}`;
  await workspace.write(all);
  await succeeds(workspace, 'import', 'ebb_team_member.ada', `default/${email}`);
  await becomes(all);
  const output = await succeeds(workspace, 'destroy', '-auto-approve');
  assert.match(output, /The team team_\w+ is revoked[\s\S]*Its signed receipt is rcp_\w+/);
  assert.deepEqual((await ada.call('GET', '/v1/teams')).items, [], 'and nobody is in it');
  await succeeds(workspace, 'destroy', '-auto-approve');
});
