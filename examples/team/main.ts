import {
  App,
  LocalBackend,
  TerraformIterator,
  TerraformOutput,
  TerraformStack,
  TerraformVariable,
} from 'cdktf';
import type { Construct } from 'constructs';
import { EbbProvider, Team, TeamMember } from '../../stacks/index.ts';

/** The people of a team, by address and role, and what the team says of itself. */
class TeamStack extends TerraformStack {
  constructor(scope: Construct, id: string) {
    super(scope, id);
    new LocalBackend(this, { path: 'terraform.tfstate' });
    // Address and key come from EBB_ENDPOINT and EBB_API_KEY.
    new EbbProvider(this, 'ebb');

    const variable = (name: string, type: string, description: string) =>
      new TerraformVariable(this, name, { description, type, nullable: false });
    const people = variable('people', 'map(string)', 'Roles by address: viewer, maintainer or owner.');
    const each = TerraformIterator.fromMap(people.value);
    // Who is not in the team yet is invited by e-mail.
    const members = new TeamMember(this, 'each', { forEach: each, email: each.key, role: each.value });

    new Team(this, 'own', {
      name: variable('team', 'string', 'Name of the team that the key belongs to.').stringValue,
      limitByTeam: 10,
      // Destroying it would revoke the team: see the README.
      deletionProtection: true,
      // So that a destruction revokes the team first, and its last owner with it.
      dependsOn: [members],
    });

    // `invited` until they joined.
    new TerraformOutput(this, 'status', {
      value: `\${{ for email, member in ${members.fqn} : email => member.status }}`,
    }).overrideLogicalId('status');
  }
}

const app = new App();
new TeamStack(app, 'team');
app.synth();
