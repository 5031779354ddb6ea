import { type Static, type TObject, Type } from 'typebox';
import { kmsVariables } from '../contract/custody/kms-variables.ts';
import { ConfigurationError, readVariables } from '../contract/environment.ts';
import { isLoopback } from '../contract/transport-security.ts';
import { apiKeyPattern } from './auth/api-key.ts';
import { apiKeyProblems, databaseProblems, unsafeProblems, type Values } from './configuration-problems.ts';
import type { DatabaseLocation } from './db/database.ts';
import { databaseLocation, databaseVariables } from './db/database-configuration.ts';
import { signUpModes } from './people/sign-up.ts';
import { underPlatformName, withPlatformVariables } from './platform-variables.ts';
import { type Network, parseNetworks } from './source-hosts/rest/guarded-fetch.ts';

const ApiEnvironment = Type.Object({
  EBB_LISTEN: Type.String({
    pattern: '^(\\[[0-9a-f:]+\\]|[^:\\[]+):[0-9]+$',
    default: '127.0.0.1:4800',
    description: 'Where to listen, host:port; with PORT on 0.0.0.0.',
  }),
  EBB_METRICS_LISTEN: Type.String({
    pattern: '^(\\[[0-9a-f:]+\\]|[^:\\[]+):[0-9]+$',
    default: '127.0.0.1:9464',
    description:
      'Where GET /metrics is answered, host:port; plain HTTP, so keep it off networks that others reach.',
  }),
  EBB_BEHIND_TLS_ROUTER: Type.Boolean({
    default: false,
    description:
      'true when only a router reaches this process that ends TLS and sets X-Forwarded-Proto and -For.',
  }),
  EBB_PUBLIC_URL: Type.Optional(
    Type.String({
      format: 'uri',
      pattern: '^https?://[^/]+$',
      description: 'Where people and source hosts reach the API, without a slash at the end.',
    }),
  ),
  EBB_TLS_CERT: Type.Optional(
    Type.String({ description: 'Certificate chain in PEM; EBB_TLS_CERT_FILE names a file.' }),
  ),
  EBB_TLS_KEY: Type.Optional(
    Type.String({ description: 'Its private key in PEM; EBB_TLS_KEY_FILE names a file.' }),
  ),
  ...databaseVariables,
  EBB_REDIS_URL: Type.String({
    pattern: '^rediss?://',
    description: 'Address of Redis: rediss://…, or redis://… on this machine; REDIS_URL is read too.',
  }),
  EBB_REDIS_CA: Type.Optional(
    Type.String({
      description:
        "Certificates to trust instead of the public authorities': Redis's authority or its own, PEM.",
    }),
  ),
  EBB_MAX_WAITING_BUILDS: Type.Integer({
    minimum: 1,
    maximum: 1_000_000,
    default: 100_000,
    description: 'How many builds may wait; with more, requests for builds are answered by 503 queue_full.',
  }),
  EBB_KEYS_DIR: Type.Optional(
    Type.String({ description: "Folder of the API's own keys, mode 0700; made when it is empty." }),
  ),
  EBB_TOKEN_KEY: Type.Optional(
    Type.String({
      description:
        'Instead of EBB_KEYS_DIR: the first key that signs tokens, private Ed25519 JWK; later ones are in the database, sealed.',
    }),
  ),
  EBB_RECEIPT_KEY: Type.Optional(
    Type.String({ description: 'Instead of EBB_KEYS_DIR: what signs receipts, private Ed25519 JWK.' }),
  ),
  EBB_RETIRED_RECEIPT_KEYS: Type.Optional(
    Type.String({
      description:
        'With EBB_RECEIPT_KEY: public keys (JWKS) that signed receipts before or will next, as `ebb keys FOLDER --json` prints them.',
    }),
  ),
  EBB_HOOK_MASTER_KEY: Type.Optional(
    Type.String({
      description: "Instead of EBB_KEYS_DIR: what hooks' secrets are derived from, 32 bytes in Base64.",
    }),
  ),
  EBB_KEY_ENCRYPTION_KEY: Type.Optional(
    Type.String({
      pattern: '^\\{',
      description: 'Public half of the key-encryption key (JWK); EBB_KEY_ENCRYPTION_KEY_FILE names a file.',
    }),
  ),
  ...kmsVariables,
  EBB_LOCAL_SOURCE_DIR: Type.Optional(
    Type.String({ description: 'Folder of the built-in source host; without it there is none.' }),
  ),
  EBB_LOCAL_SOURCE_PORT: Type.Integer({
    minimum: 0,
    maximum: 65_535,
    default: 0,
    description: 'SSH port of the built-in source host; any free one when 0.',
  }),
  EBB_REQUESTS_PER_MINUTE: Type.Integer({
    minimum: 1,
    default: 12_000,
    description:
      "How many requests one API key and its tokens may make in a minute; runners' are not counted.",
  }),
  EBB_SOURCE_HOST_NETWORKS: Type.Optional(
    Type.String({
      description:
        'Networks that connections of teams may lead to though they are not public, with commas between: 10.0.0.0/8,fd00::/8. When absent, this machine alone where EBB_PUBLIC_URL is on it, and else none.',
    }),
  ),
  EBB_SMTP_URL: Type.Optional(
    Type.String({
      pattern: '^smtps?://',
      description:
        'Mail server: smtps://user:password@host:port, or smtp:// with STARTTLS. Without it nobody can sign in by a link or be invited, and no access grant can be given, since teams are told of each use by e-mail.',
    }),
  ),
  EBB_SMTP_CA: Type.Optional(
    Type.String({
      description: "Certificates to trust instead of the public authorities': the mail server's, PEM.",
    }),
  ),
  EBB_MAIL_FROM: Type.Optional(
    Type.String({ format: 'email', description: 'Address that mails come from: ebb@example.com.' }),
  ),
  EBB_MAIL_TO_LOG: Type.Boolean({
    default: false,
    description:
      'true on a developer’s machine, where mails are not sent: the log has their subjects, and the links in them, which open accounts.',
  }),
  EBB_SIGN_UP: Type.Enum([...signUpModes], {
    default: 'closed',
    description:
      'Who may sign up by e-mail: open for everybody, invited for who was invited to a team, closed for nobody more.',
  }),
  EBB_GITHUB_CLIENT_ID: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9._-]{1,100}$',
      description: 'Client id of an OAuth app at GitHub, so that people sign in by GitHub.',
    }),
  ),
  EBB_GITHUB_CLIENT_SECRET: Type.Optional(
    Type.String({
      pattern: '^[\\x21-\\x7e]{1,200}$',
      description: 'Its client secret; EBB_GITHUB_CLIENT_SECRET_FILE names a file.',
    }),
  ),
  EBB_GITHUB_URL: Type.String({
    format: 'uri',
    pattern: '^https?://[^/?#@]+$',
    default: 'https://github.com',
    description: 'Where that app is: the address of a GitHub Enterprise, without a slash at the end.',
  }),
  EBB_MIGRATE: Type.Boolean({
    default: true,
    description: 'false when `ebb migrate` and `ebb first-team` prepare the database instead of the start.',
  }),
  EBB_FIRST_ADMIN_KEY: Type.Optional(
    Type.String({
      pattern: apiKeyPattern,
      description:
        'API key for the admin of the first team, ebb_ and 43 characters; a new one is shown when absent.',
    }),
  ),
  EBB_FIRST_RUNNER_KEY: Type.Optional(
    Type.String({ pattern: apiKeyPattern, description: 'The same for the first runner.' }),
  ),
  EBB_TEAM: Type.String({
    pattern: '^[a-z][a-z0-9-]*[a-z0-9]$',
    default: 'default',
    description: 'Name of the team that the first start makes.',
  }),
});

export type ApiConfiguration = Static<typeof ApiEnvironment> & { EBB_PUBLIC_URL: string };

/** Reads the API's configuration. Throws ConfigurationError with every problem, the unsafe ones included. */
export function readApiConfiguration(environment: NodeJS.ProcessEnv): ApiConfiguration {
  const configuration = readJudged(ApiEnvironment, environment, unsafeProblems);
  const scheme = configuration.EBB_TLS_CERT ? 'https' : 'http';
  return {
    ...configuration,
    EBB_PUBLIC_URL: configuration.EBB_PUBLIC_URL ?? `${scheme}://${configuration.EBB_LISTEN}`,
  };
}

/** Addresses that are not public and yet may be those of source hosts. */
export function sourceHostNetworks(
  configuration: Pick<ApiConfiguration, 'EBB_SOURCE_HOST_NETWORKS' | 'EBB_PUBLIC_URL'>,
): Network[] {
  const named = configuration.EBB_SOURCE_HOST_NETWORKS;
  if (named !== undefined) return parseNetworks(named);
  return isLoopback(new URL(configuration.EBB_PUBLIC_URL).hostname)
    ? parseNetworks('127.0.0.0/8,::1/128')
    : [];
}

/** The same for what opens the database alone: where it is. */
export function readDatabaseConfiguration(environment: NodeJS.ProcessEnv): { location: DatabaseLocation } {
  const configuration = readJudged(Type.Object(databaseVariables), environment, databaseProblems);
  return { location: databaseLocation(configuration) };
}

const { EBB_TEAM, EBB_KEYS_DIR, EBB_TOKEN_KEY, EBB_RECEIPT_KEY, EBB_HOOK_MASTER_KEY } =
  ApiEnvironment.properties;
const OperatorEnvironment = Type.Object({
  ...databaseVariables,
  ...{ EBB_TEAM, EBB_KEYS_DIR, EBB_TOKEN_KEY, EBB_RECEIPT_KEY, EBB_HOOK_MASTER_KEY },
});

/** The same for what changes the database, and signs the audit entry of it with the API's own keys. */
export function readOperatorConfiguration(environment: NodeJS.ProcessEnv) {
  const judge = (values: Values) => [...databaseProblems(values), ...apiKeyProblems(values)];
  const configuration = readJudged(OperatorEnvironment, environment, judge);
  return { ...configuration, location: databaseLocation(configuration) };
}

/** Reads the variables and judges what is well-formed, so that all problems are shown at once. */
function readJudged<T extends TObject>(
  schema: T,
  environment: NodeJS.ProcessEnv,
  judge: (values: Values) => string[],
): Static<T> {
  const { values, problems: malformed } = readVariables(schema, withPlatformVariables(environment));
  const broken = malformed.map((problem) => problem.split(' ')[0]?.replace(/_FILE$/, '') ?? '');
  const sound = Object.entries(values).filter(([name]) => !broken.includes(name));
  // Of a variable that is broken nothing more can be said, neither that it is missing nor what it goes with.
  const judged = judge(Object.fromEntries(sound.map(([name, value]) => [name, String(value)]))).filter(
    (problem) => !broken.some((name) => new RegExp(`\\b${name}\\b`).test(problem)),
  );
  const problems = [...malformed, ...judged].map((problem) => underPlatformName(problem, environment));
  if (problems.length > 0) throw new ConfigurationError(problems);
  return values as Static<T>;
}
