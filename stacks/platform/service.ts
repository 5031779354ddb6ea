import type { ITerraformDependable } from 'cdktf';
import { Construct } from 'constructs';
import { Fn } from '../cdktf.ts';
import {
  EcsCluster,
  EcsService,
  EcsTaskDefinition,
  type IamRole,
  Lb,
  LbListener,
  LbTargetGroup,
} from './aws.ts';
import type { Core } from './core.ts';
import { apiPort } from './security-groups.ts';
import type { PlatformSettings } from './settings.ts';

/** Seconds that Fargate gives a task at most between asking it to end and ending it. */
const stopTimeout = 120;

/** Seconds that a runner that is to end finishes its builds before it hands them over; the rest is for doing that. */
const drainSeconds = stopTimeout - 30;

/** Where a runner answers its own container that it takes builds. */
const healthPort = 4801;
const healthCheck = {
  command: [
    'CMD',
    'node',
    '-e',
    `fetch('http://127.0.0.1:${healthPort}').then(() => process.exit(0), () => process.exit(1))`,
  ],
  interval: 15,
  timeout: 10,
  retries: 5,
  startPeriod: 120,
};

interface Program {
  command: 'api' | 'runner';
  size: { tasks: number; cpu: number; memoryMib: number };
  roles: { task: IamRole; execution: IamRole };
  environment: Record<string, string>;
  secrets: { name: string; valueFrom: string }[];
  logGroup: string;
}

/** API and runners on Fargate, the API behind a load balancer that speaks TLS. */
export class Service extends Construct {
  readonly balancer: Lb;
  readonly targets: LbTargetGroup;
  readonly cluster: EcsCluster;
  readonly #settings: PlatformSettings;
  readonly #core: Core;

  constructor(scope: Construct, id: string, settings: PlatformSettings, core: Core) {
    super(scope, id);
    this.#settings = settings;
    this.#core = core;
    this.cluster = new EcsCluster(this, 'cluster', {
      name: settings.name,
      setting: [{ name: 'containerInsights', value: 'enabled' }],
    });
    this.balancer = new Lb(this, 'balancer', {
      name: settings.name,
      loadBalancerType: 'application',
      securityGroups: [core.groups.balancer.id],
      subnets: core.network.publicSubnetIds,
      dropInvalidHeaderFields: true,
      enableDeletionProtection: settings.database.protected,
      // Shorter than the API keeps a connection open, or requests would go into one that closes; event streams say
      // something every 15 s.
      idleTimeout: 60,
      dependsOn: core.network.routes,
    });
    this.targets = new LbTargetGroup(this, 'targets', {
      name: settings.name,
      vpcId: core.network.vpcId,
      targetType: 'ip',
      port: apiPort,
      protocol: 'HTTP',
      deregistrationDelay: '30',
      // Not /v1/ready: that database or Redis fail over is no reason to replace every API.
      healthCheck: { path: '/v1/health', matcher: '200', interval: 10, healthyThreshold: 2 },
    });
    const listener = new LbListener(this, 'https', {
      loadBalancerArn: this.balancer.arn,
      port: 443,
      protocol: 'HTTPS',
      sslPolicy: 'ELBSecurityPolicy-TLS13-1-2-2021-06',
      certificateArn: settings.certificateArn,
      defaultAction: [{ type: 'forward', targetGroupArn: this.targets.arn }],
    });
    const api = this.#define(this.#api());
    this.#serve('api', api, {
      tasks: settings.api.tasks,
      groupId: core.groups.api.id,
      loadBalancer: [{ targetGroupArn: this.targets.arn, containerName: 'api', containerPort: apiPort }],
      // Before it answers it may have a schema to bring up to date.
      healthCheckGracePeriodSeconds: 120,
      after: [listener],
    });
    const runner = this.#define(this.#runner());
    this.#serve('runner', runner, { tasks: settings.runner.tasks, groupId: core.groups.runner.id });
  }

  #api(): Program {
    const { name, hostName, api, retiredReceiptKeys } = this.#settings;
    return {
      command: 'api',
      size: api,
      roles: { task: this.#core.roles.apiTask, execution: this.#core.roles.apiExecution },
      environment: {
        EBB_LISTEN: `0.0.0.0:${apiPort}`,
        EBB_BEHIND_TLS_ROUTER: 'true',
        EBB_PUBLIC_URL: `https://${hostName}`,
        EBB_KMS_KEY: this.#core.keys.custody.arn,
        EBB_DEPLOYMENT: name,
        ...(retiredReceiptKeys === '' ? {} : { EBB_RETIRED_RECEIPT_KEYS: retiredReceiptKeys }),
        // In the image: AWS signs the certificates of its databases itself.
        EBB_DATABASE_CA_FILE: '/etc/ssl/certs/rds-global-bundle.pem',
      },
      secrets: this.#core.secrets.forApi(),
      logGroup: this.#core.logs.api.name,
    };
  }

  #runner(): Program {
    const { name, region, hostName, runner, machines, olderCustodyKeys } = this.#settings;
    const { template } = this.#core.machines;
    const images = Object.entries(this.#settings.otherMachineImages)
      .map(([recipe, image]) => `${recipe}=${image}`)
      .join(',');
    return {
      command: 'runner',
      size: runner,
      roles: { task: this.#core.roles.runnerTask, execution: this.#core.roles.runnerExecution },
      environment: {
        EBB_API_URL: `https://${hostName}`,
        EBB_KMS_KEY: this.#core.keys.custody.arn,
        EBB_DEPLOYMENT: name,
        EBB_HEALTH_PORT: String(healthPort),
        EBB_DRAIN_SECONDS: String(drainSeconds),
        EBB_SLOTS: String(runner.slots),
        EBB_POOL_MIN: String(runner.poolMin),
        EBB_POOL_MAX: String(runner.poolMax),
        EBB_VM_DRIVER: 'ec2',
        EBB_EC2_REGION: region,
        EBB_EC2_LAUNCH_TEMPLATE: `${template.id}:${Fn.tostring(template.latestVersion)}`,
        EBB_EC2_INSTANCE_TYPES: machines.instanceTypes.join(','),
        EBB_EC2_SUBNETS: this.#core.network.privateSubnetIds.join(','),
        EBB_EC2_MARKET: machines.market,
        ...(images === '' ? {} : { EBB_EC2_IMAGES: images }),
        ...(olderCustodyKeys.length === 0 ? {} : { EBB_OLDER_KEYS: olderCustodyKeys.join(',') }),
      },
      secrets: this.#core.secrets.forRunner(),
      logGroup: this.#core.logs.runner.name,
    };
  }

  #define({ command, size, roles, environment, secrets, logGroup }: Program): EcsTaskDefinition {
    const { name, region, containerImage } = this.#settings;
    const container = {
      name: command,
      image: containerImage,
      essential: true,
      command: [command],
      environment: Object.entries(environment).map(([key, value]) => ({ name: key, value })),
      secrets,
      readonlyRootFilesystem: true,
      user: '1000:1000',
      linuxParameters: { initProcessEnabled: true, capabilities: { drop: ['ALL'] } },
      stopTimeout,
      // Healthy once it has looked at template, image, types and permissions: else the deployment is rolled back.
      ...(command === 'runner' ? { healthCheck } : {}),
      portMappings: command === 'api' ? [{ containerPort: apiPort, protocol: 'tcp' }] : [],
      logConfiguration: {
        logDriver: 'awslogs',
        options: {
          'awslogs-group': logGroup,
          'awslogs-region': region,
          'awslogs-stream-prefix': command,
        },
      },
    };
    return new EcsTaskDefinition(this, `${command}-task`, {
      family: `${name}-${command}`,
      requiresCompatibilities: ['FARGATE'],
      networkMode: 'awsvpc',
      cpu: String(size.cpu),
      memory: String(size.memoryMib),
      executionRoleArn: roles.execution.arn,
      taskRoleArn: roles.task.arn,
      containerDefinitions: JSON.stringify([container]),
    });
  }

  #serve(
    what: string,
    task: EcsTaskDefinition,
    options: { tasks: number; groupId: string; after?: ITerraformDependable[] } & Partial<
      Pick<ConstructorParameters<typeof EcsService>[2], 'loadBalancer' | 'healthCheckGracePeriodSeconds'>
    >,
  ): void {
    const { tasks, groupId, after = [], ...rest } = options;
    const { permissions, secrets, network } = this.#core;
    new EcsService(this, what, {
      name: what,
      cluster: this.cluster.arn,
      taskDefinition: task.arn,
      desiredCount: tasks,
      launchType: 'FARGATE',
      enableExecuteCommand: false,
      propagateTags: 'SERVICE',
      networkConfiguration: {
        subnets: this.#core.network.privateSubnetIds,
        securityGroups: [groupId],
        assignPublicIp: false,
      },
      deploymentCircuitBreaker: { enable: true, rollback: true },
      dependsOn: [...permissions.policies, ...secrets.values, ...network.routes, ...after],
      ...rest,
    });
  }
}
