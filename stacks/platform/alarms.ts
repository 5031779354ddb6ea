import { Construct } from 'constructs';
import { CloudwatchMetricAlarm } from './aws.ts';
import type { Database } from './database.ts';
import type { Service } from './service.ts';
import type { PlatformSettings } from './settings.ts';

interface Alarm {
  description: string;
  namespace: string;
  metricName: string;
  dimensions: Record<string, string>;
  statistic: 'Sum' | 'Average' | 'Maximum' | 'Minimum';
  comparison: 'Greater' | 'Less';
  threshold: number;
  minutes: number;
  /** How many of these minutes must be bad; all of them when absent. */
  bad?: number;
  /** What it means when nothing is reported. */
  silence: 'breaching' | 'notBreaching';
}

const gibibyte = 1024 ** 3;

/** What somebody should be woken for, with what to look at. */
export class Alarms extends Construct {
  constructor(
    scope: Construct,
    id: string,
    settings: PlatformSettings,
    parts: { database: Database; service: Service },
  ) {
    super(scope, id);
    const { database, service } = parts;
    const balancer = { LoadBalancer: service.balancer.arnSuffix };
    const alarms: Record<string, Alarm> = {
      'api-errors': {
        description: 'The API answers with errors of its own. Look at its log and at database and Redis.',
        ...{ namespace: 'AWS/ApplicationELB', metricName: 'HTTPCode_Target_5XX_Count', dimensions: balancer },
        ...{ statistic: 'Sum', comparison: 'Greater', threshold: 10, minutes: 1, silence: 'notBreaching' },
      },
      'api-unreachable': {
        description:
          'The load balancer answers with errors of its own: the API breaks connections or is away.',
        ...{ namespace: 'AWS/ApplicationELB', metricName: 'HTTPCode_ELB_5XX_Count', dimensions: balancer },
        ...{ statistic: 'Sum', comparison: 'Greater', threshold: 10, minutes: 1, silence: 'notBreaching' },
      },
      'api-down': {
        description: 'Fewer than one API answers. Look at the events of the ECS service api.',
        ...{ namespace: 'AWS/ApplicationELB', metricName: 'HealthyHostCount' },
        dimensions: { ...balancer, TargetGroup: service.targets.arnSuffix },
        ...{ statistic: 'Minimum', comparison: 'Less', threshold: 1, minutes: 3, silence: 'breaching' },
      },
      'runners-down': {
        description:
          'No runner runs, so builds wait. Look at the log of the runners: they refuse to start with the reason.',
        ...{ namespace: 'ECS/ContainerInsights', metricName: 'RunningTaskCount' },
        dimensions: { ClusterName: service.cluster.name, ServiceName: 'runner' },
        ...{ statistic: 'Minimum', comparison: 'Less', threshold: 1, minutes: 15, silence: 'breaching' },
        // One that starts again and again is there now and then.
        bad: 3,
      },
      'database-full': {
        description: 'PostgreSQL has less than 5 GiB left. Raise database.storageGib.',
        ...{ namespace: 'AWS/RDS', metricName: 'FreeStorageSpace' },
        dimensions: { DBInstanceIdentifier: database.instance.identifier },
        ...{
          statistic: 'Minimum',
          comparison: 'Less',
          threshold: 5 * gibibyte,
          minutes: 15,
          silence: 'notBreaching',
        },
      },
      ...redisFull(settings),
    };
    const actions = settings.alarmTopicArn ? [settings.alarmTopicArn] : [];
    for (const [name, alarm] of Object.entries(alarms)) {
      new CloudwatchMetricAlarm(this, name, {
        alarmName: `${settings.name}-${name}`,
        alarmDescription: alarm.description,
        namespace: alarm.namespace,
        metricName: alarm.metricName,
        dimensions: alarm.dimensions,
        statistic: alarm.statistic,
        comparisonOperator: `${alarm.comparison}ThanThreshold`,
        threshold: alarm.threshold,
        period: 60,
        evaluationPeriods: alarm.minutes,
        datapointsToAlarm: alarm.bad ?? alarm.minutes,
        treatMissingData: alarm.silence,
        alarmActions: actions,
        okActions: actions,
      });
    }
  }
}

/** Amazon ElastiCache reports memory by node, not by group. */
function redisFull({ name, redis }: PlatformSettings): Record<string, Alarm> {
  const alarms: Record<string, Alarm> = {};
  for (let node = 1; node <= 1 + redis.replicas; node += 1) {
    alarms[`redis-full-${node}`] = {
      description: 'Redis uses more than 80 % of its memory. Choose a larger redis.nodeType.',
      ...{ namespace: 'AWS/ElastiCache', metricName: 'DatabaseMemoryUsagePercentage' },
      dimensions: { CacheClusterId: `${name}-${String(node).padStart(3, '0')}` },
      ...{ statistic: 'Maximum', comparison: 'Greater', threshold: 80, minutes: 15, silence: 'notBreaching' },
    };
  }
  return alarms;
}
