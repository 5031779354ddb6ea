import { Construct } from 'constructs';
import { SecurityGroup, VpcSecurityGroupEgressRule, VpcSecurityGroupIngressRule } from './aws.ts';
import type { Network } from './network.ts';
import type { PlatformSettings } from './settings.ts';

type Peer = { cidrIpv4: string } | { referencedSecurityGroupId: string };

/** The port that the API listens on behind the load balancer. */
export const apiPort = 4800;

/** Who may talk to whom: nobody but as it stands here. Machines take SSH from runners and nothing else. */
export class SecurityGroups extends Construct {
  readonly balancer: SecurityGroup;
  readonly api: SecurityGroup;
  readonly runner: SecurityGroup;
  readonly machine: SecurityGroup;
  readonly database: SecurityGroup;
  readonly redis: SecurityGroup;

  constructor(scope: Construct, id: string, settings: PlatformSettings, network: Network) {
    super(scope, id);
    const group = (what: string, description: string) =>
      new SecurityGroup(this, what, {
        vpcId: network.vpcId,
        name: `${settings.name}-${what}`,
        description,
        tags: { Name: `${settings.name}-${what}` },
      });
    this.balancer = group('balancer', 'Load balancer of the API');
    this.api = group('api', 'API');
    this.runner = group('runner', 'Runners');
    this.machine = group('machine', 'Build machines');
    this.database = group('database', 'PostgreSQL');
    this.redis = group('redis', 'Redis');

    for (const [index, range] of settings.allowedCidrBlocks.entries())
      this.#allowIn(`people-${index}`, this.balancer, 443, { cidrIpv4: range });
    // Runners reach the API by its public name, too, so they come in by the network's own way out.
    this.#allowIn('runners', this.balancer, 443, { cidrIpv4: `${network.publicIp}/32` });
    this.#connect('balancer-api', this.balancer, this.api, apiPort);
    this.#connect('api-database', this.api, this.database, 5432);
    this.#connect('api-redis', this.api, this.redis, 6379);
    this.#connect('runner-redis', this.runner, this.redis, 6379);
    this.#connect('runner-machine', this.runner, this.machine, 22);
    for (const [what, from] of [
      ['api', this.api],
      ['runner', this.runner],
    ] as const)
      this.#allowOut(`${what}-https`, from, 443, { cidrIpv4: '0.0.0.0/0' });
    for (const port of settings.machines.egressPorts)
      this.#allowOut(`machine-${port}`, this.machine, port, { cidrIpv4: '0.0.0.0/0' });
  }

  #connect(name: string, from: SecurityGroup, to: SecurityGroup, port: number): void {
    this.#allowOut(`${name}-out`, from, port, { referencedSecurityGroupId: to.id });
    this.#allowIn(`${name}-in`, to, port, { referencedSecurityGroupId: from.id });
  }

  #allowIn(name: string, group: SecurityGroup, port: number, peer: Peer): void {
    new VpcSecurityGroupIngressRule(this, name, ruleOf(name, group, port, peer));
  }

  #allowOut(name: string, group: SecurityGroup, port: number, peer: Peer): void {
    new VpcSecurityGroupEgressRule(this, name, ruleOf(name, group, port, peer));
  }
}

function ruleOf(name: string, group: SecurityGroup, port: number, peer: Peer) {
  const ports = { ipProtocol: 'tcp', fromPort: port, toPort: port };
  return { securityGroupId: group.id, tags: { Name: name }, ...ports, ...peer };
}
