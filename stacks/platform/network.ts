import { Construct } from 'constructs';
import {
  DefaultSecurityGroup,
  Eip,
  InternetGateway,
  NatGateway,
  Route,
  RouteTable,
  RouteTableAssociation,
  SecurityGroup,
  Subnet,
  Vpc,
  VpcEndpoint,
  VpcSecurityGroupIngressRule,
} from './aws.ts';
import type { PlatformSettings } from './settings.ts';

// Calls to these stay within the network. Kept small: each costs by the hour.
const interfaceEndpoints = ['ec2', 'kms', 'secretsmanager', 'logs'];

/** A VPC with a public subnet a zone for the load balancer and a private one for everything else. */
export class Network extends Construct {
  readonly vpcId: string;
  readonly publicSubnetIds: string[];
  readonly privateSubnetIds: string[];
  /** Where what is in the private subnets seems to come from, outside. */
  readonly publicIp: string;
  /** The ways out, which must be there before anything goes out. */
  readonly routes: Route[] = [];

  constructor(scope: Construct, id: string, settings: PlatformSettings) {
    super(scope, id);
    const named = (what: string) => ({ tags: { Name: `${settings.name}-${what}` } });
    const vpc = new Vpc(this, 'vpc', {
      cidrBlock: settings.cidrBlock,
      enableDnsHostnames: true,
      enableDnsSupport: true,
      ...named('vpc'),
    });
    this.vpcId = vpc.id;
    // What names no group gets this one: it lets nothing through.
    new DefaultSecurityGroup(this, 'default', {
      vpcId: vpc.id,
      ingress: [],
      egress: [],
      ...named('default'),
    });
    const internet = new InternetGateway(this, 'internet', { vpcId: vpc.id, ...named('internet') });

    const subnets = (kind: 'public' | 'private', offset: number) =>
      settings.availabilityZones.map((zone, index) => {
        const [first, second] = settings.cidrBlock.split('.');
        return new Subnet(this, `${kind}-${index}`, {
          vpcId: vpc.id,
          availabilityZone: zone,
          cidrBlock: `${first}.${second}.${offset + index * 16}.0/20`,
          mapPublicIpOnLaunch: false,
          ...named(`${kind}-${zone}`),
        });
      });
    const publicSubnets = subnets('public', 0);
    const privateSubnets = subnets('private', 128);
    this.publicSubnetIds = publicSubnets.map((subnet) => subnet.id);
    this.privateSubnetIds = privateSubnets.map((subnet) => subnet.id);

    const address = new Eip(this, 'address', { domain: 'vpc', ...named('nat') });
    this.publicIp = address.publicIp;
    const nat = new NatGateway(this, 'nat', {
      allocationId: address.id,
      subnetId: this.publicSubnetIds[0] ?? '',
      dependsOn: [internet],
      ...named('nat'),
    });
    const table = (
      kind: string,
      target: { gatewayId: string } | { natGatewayId: string },
      members: Subnet[],
    ) => {
      const routes = new RouteTable(this, `${kind}-routes`, { vpcId: vpc.id, ...named(kind) });
      const out = { routeTableId: routes.id, destinationCidrBlock: '0.0.0.0/0', ...target };
      this.routes.push(new Route(this, `${kind}-out`, out));
      for (const [index, subnet] of members.entries())
        new RouteTableAssociation(this, `${kind}-${index}-routes`, {
          routeTableId: routes.id,
          subnetId: subnet.id,
        });
      return routes;
    };
    table('public', { gatewayId: internet.id }, publicSubnets);
    const privateRoutes = table('private', { natGatewayId: nat.id }, privateSubnets);
    this.#addEndpoints(settings, privateRoutes.id);
  }

  #addEndpoints(settings: PlatformSettings, routeTableId: string): void {
    const service = (name: string) => `com.amazonaws.${settings.region}.${name}`;
    new VpcEndpoint(this, 's3', {
      vpcId: this.vpcId,
      serviceName: service('s3'),
      vpcEndpointType: 'Gateway',
      routeTableIds: [routeTableId],
      tags: { Name: `${settings.name}-s3` },
    });
    const group = new SecurityGroup(this, 'endpoints', {
      vpcId: this.vpcId,
      name: `${settings.name}-endpoints`,
      description: 'AWS APIs, from within the network',
      tags: { Name: `${settings.name}-endpoints` },
    });
    new VpcSecurityGroupIngressRule(this, 'endpoints-https', {
      securityGroupId: group.id,
      description: 'HTTPS from within the network',
      cidrIpv4: settings.cidrBlock,
      ipProtocol: 'tcp',
      fromPort: 443,
      toPort: 443,
    });
    for (const name of interfaceEndpoints) {
      new VpcEndpoint(this, name, {
        vpcId: this.vpcId,
        serviceName: service(name),
        vpcEndpointType: 'Interface',
        privateDnsEnabled: true,
        subnetIds: this.privateSubnetIds,
        securityGroupIds: [group.id],
        tags: { Name: `${settings.name}-${name}` },
      });
    }
  }
}
