import { Construct } from 'constructs';
import { DbInstance, DbParameterGroup, DbSubnetGroup } from './aws.ts';
import type { Core } from './core.ts';
import type { PlatformSettings } from './settings.ts';

/** PostgreSQL: encrypted on its disk and on the wire, reached from the API alone. */
export class Database extends Construct {
  readonly instance: DbInstance;

  constructor(scope: Construct, id: string, settings: PlatformSettings, core: Core) {
    super(scope, id);
    const { database, name } = settings;
    const subnets = new DbSubnetGroup(this, 'database-subnets', {
      name: `${name}-database`,
      subnetIds: core.network.privateSubnetIds,
    });
    const parameters = new DbParameterGroup(this, 'database-parameters', {
      name: `${name}-postgres16`,
      family: 'postgres16',
      parameter: [{ name: 'rds.force_ssl', value: '1' }],
    });
    this.instance = new DbInstance(this, 'database', {
      identifier: name,
      engine: 'postgres',
      engineVersion: '16',
      instanceClass: database.instanceClass,
      allocatedStorage: database.storageGib,
      maxAllocatedStorage: database.storageGib * 4,
      storageType: 'gp3',
      storageEncrypted: true,
      kmsKeyId: core.keys.data.arn,
      dbName: 'ebb',
      username: 'ebb',
      passwordWo: core.secrets.databasePassword.stringValue,
      passwordWoVersion: core.secrets.version.numberValue,
      dbSubnetGroupName: subnets.name,
      parameterGroupName: parameters.name,
      vpcSecurityGroupIds: [core.groups.database.id],
      publiclyAccessible: false,
      multiAz: database.multiAz,
      backupRetentionPeriod: database.backupDays,
      copyTagsToSnapshot: true,
      deletionProtection: database.protected,
      skipFinalSnapshot: !database.protected,
      ...(database.protected ? { finalSnapshotIdentifier: `${name}-final` } : {}),
      autoMinorVersionUpgrade: true,
    });
    const password = core.secrets.databasePassword.stringValue;
    const { address } = this.instance;
    core.secrets.keep('database_url', `postgresql://ebb:${password}@${address}:5432/ebb?sslmode=verify-full`);
  }
}
