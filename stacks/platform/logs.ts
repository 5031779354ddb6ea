import { Construct } from 'constructs';
import { CloudwatchLogGroup } from './aws.ts';
import type { Keys } from './keys.ts';
import type { PlatformSettings } from './settings.ts';

/** Where API and runners log, encrypted and kept for a time. Logs of builds are not here: they belong to the teams. */
export class Logs extends Construct {
  readonly api: CloudwatchLogGroup;
  readonly runner: CloudwatchLogGroup;

  constructor(scope: Construct, id: string, settings: PlatformSettings, keys: Keys) {
    super(scope, id);
    const group = (what: string) =>
      new CloudwatchLogGroup(this, what, {
        name: `/${settings.name}/${what}`,
        retentionInDays: settings.logRetentionDays,
        kmsKeyId: keys.data.arn,
      });
    this.api = group('api');
    this.runner = group('runner');
  }
}
