import { type ApiConfiguration, readApiConfiguration } from '../../api/configuration.ts';
import { databaseLocation } from '../../api/db/database-configuration.ts';
import { withPlatformVariables } from '../../api/platform-variables.ts';
import { addressFindings } from './address-findings.ts';
import { readForFindings } from './configuration-findings.ts';
import { databaseFindings } from './database-findings.ts';
import { firstAdminKeyLeft, keysFolderFindings, secretFindings } from './file-findings.ts';
import { bySeverity, type Finding } from './finding.ts';
import { githubFindings } from './github-findings.ts';
import { type Machine, machineFindings, thisMachine } from './machine-findings.ts';
import { redisFindings } from './redis-findings.ts';

const secrets = [
  ...['EBB_TLS_KEY', 'EBB_DATABASE_URL', 'EBB_REDIS_URL', 'EBB_TOKEN_KEY', 'EBB_RECEIPT_KEY'],
  ...['EBB_HOOK_MASTER_KEY', 'EBB_SMTP_URL', 'EBB_FIRST_ADMIN_KEY', 'EBB_FIRST_RUNNER_KEY'],
  'EBB_GITHUB_CLIENT_SECRET',
];

/** What is left open where `ebb api` would run with this environment. Changes nothing; shows no value of a secret. */
export async function examineApi(
  environment: NodeJS.ProcessEnv,
  { machine = thisMachine, now = () => new Date() }: { machine?: Machine; now?: () => Date } = {},
): Promise<Finding[]> {
  const { configuration, findings } = readForFindings(() => readApiConfiguration(environment), 'ebb api');
  const examined = await Promise.all([
    findings,
    secretFindings(withPlatformVariables(environment), secrets),
    machineFindings(machine),
    configuration ? configuredFindings(configuration, now) : [],
  ]);
  return bySeverity(examined.flat());
}

async function configuredFindings(configuration: ApiConfiguration, now: () => Date): Promise<Finding[]> {
  const { EBB_REDIS_URL: url, EBB_REDIS_CA: ca, EBB_KEYS_DIR: keys, EBB_MIGRATE: migrates } = configuration;
  const examined = await Promise.all([
    addressFindings(configuration, now()),
    redisFindings({ url, ...(ca ? { ca } : {}) }),
    databaseFindings(databaseLocation(configuration), { migrates, now }),
    keys ? keysFolderFindings(keys) : [],
    configuration.EBB_FIRST_ADMIN_KEY ? [firstAdminKeyLeft('EBB_FIRST_ADMIN_KEY')] : [],
    githubFindings(configuration),
    configuration.EBB_KMS_KEY ? [] : [keyInFile],
    configuration.EBB_SMTP_URL || configuration.EBB_MAIL_TO_LOG ? [] : [withoutMail],
  ]);
  return examined.flat();
}

const keyInFile: Finding = {
  ...{ code: 'key_encryption_key_in_file', severity: 'info' },
  what: "Projects' keys are wrapped with a key that runners have in a file.",
  why: 'Who copies that file and the database opens every deploy key and secret, and nobody sees it. Without its backup all are lost.',
  fix: 'Keep its backup apart from those of the database. In AWS let KMS hold it: EBB_KMS_KEY.',
};

const withoutMail: Finding = {
  ...{ code: 'no_mail_server', severity: 'info' },
  what: 'There is no mail server (EBB_SMTP_URL).',
  why: 'Nobody can sign in by a link, and teams cannot give access grants, since they could not be told of each use.',
  fix: 'Set EBB_SMTP_URL and EBB_MAIL_FROM when people are to sign in or teams to get support.',
};
