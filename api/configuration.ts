import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { type Static, Type } from 'typebox';
import { ConfigurationError, readEnvironment } from '../contract/environment.ts';
import { isLoopback, postgresProblems, redisProblems } from '../contract/transport-security.ts';

const ApiEnvironment = Type.Object({
  EBB_LISTEN: Type.String({
    pattern: '^(\\[[0-9a-f:]+\\]|[^:]+):[0-9]+$',
    default: '127.0.0.1:4800',
    description: 'Where to listen, host:port.',
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
  EBB_DATABASE_URL: Type.Optional(
    Type.String({ pattern: '^postgres(ql)?://', description: 'A PostgreSQL server: postgresql://…' }),
  ),
  EBB_DATA_DIR: Type.String({
    default: '.ebb/data',
    description: 'Folder of PGlite, when EBB_DATABASE_URL is not set.',
  }),
  EBB_REDIS_URL: Type.String({
    pattern: '^rediss?://',
    description: 'Address of Redis: rediss://…, or redis://… on this machine.',
  }),
  EBB_REDIS_CA: Type.Optional(Type.String({ description: 'Certificate authority of Redis, PEM.' })),
  EBB_KEYS_DIR: Type.String({
    description: "Folder of the API's own keys, mode 0700; made when it is empty.",
  }),
  EBB_KEY_ENCRYPTION_KEY: Type.String({
    pattern: '^\\{',
    description: 'Public half of the key-encryption key (JWK); EBB_KEY_ENCRYPTION_KEY_FILE names a file.',
  }),
  EBB_LOCAL_SOURCE_DIR: Type.Optional(
    Type.String({ description: 'Folder of the built-in source host; without it there is none.' }),
  ),
  EBB_LOCAL_SOURCE_PORT: Type.Integer({
    minimum: 0,
    maximum: 65_535,
    default: 0,
    description: 'SSH port of the built-in source host; any free one when 0.',
  }),
  EBB_TEAM: Type.String({
    pattern: '^[a-z][a-z0-9-]*[a-z0-9]$',
    default: 'default',
    description: 'Name of the team that the first start makes.',
  }),
});

export type ApiConfiguration = Static<typeof ApiEnvironment> & { EBB_PUBLIC_URL: string };

/** Reads the API's configuration. Throws ConfigurationError with every problem, the unsafe ones included. */
export function readApiConfiguration(environment: NodeJS.ProcessEnv): ApiConfiguration {
  const malformed: string[] = [];
  let configuration: Static<typeof ApiEnvironment> | undefined;
  try {
    configuration = readEnvironment(ApiEnvironment, environment);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    malformed.push(...error.problems);
  }
  const problems = [...malformed, ...unsafeProblems(configuration ?? environment, malformed)];
  if (!configuration || problems.length > 0) throw new ConfigurationError(problems);
  const scheme = configuration.EBB_TLS_CERT ? 'https' : 'http';
  return {
    ...configuration,
    EBB_PUBLIC_URL: configuration.EBB_PUBLIC_URL ?? `${scheme}://${configuration.EBB_LISTEN}`,
  };
}

/** What is dangerous about values that are well-formed; one that has a problem already is left alone. */
function unsafeProblems(
  values: Partial<Static<typeof ApiEnvironment>> | NodeJS.ProcessEnv,
  malformed: readonly string[],
): string[] {
  const judge = (name: string, value: unknown, find: (text: string) => string[]) => {
    const known = malformed.some((problem) => problem.startsWith(`${name} `));
    return typeof value === 'string' && value !== '' && !known ? find(value) : [];
  };
  const texts = values as NodeJS.ProcessEnv;
  const given = (name: string) => texts[name] || texts[`${name}_FILE`] || undefined;
  return [
    ...tlsProblems({
      listen: String(values.EBB_LISTEN ?? ''),
      cert: given('EBB_TLS_CERT'),
      key: given('EBB_TLS_KEY'),
    }),
    ...judge('EBB_REDIS_URL', values.EBB_REDIS_URL, (url) =>
      URL.canParse(url)
        ? redisProblems(url)
        : ['EBB_REDIS_URL is no URL. Use rediss://user:password@host:port.'],
    ),
    ...judge('EBB_DATABASE_URL', values.EBB_DATABASE_URL, (url) =>
      URL.canParse(url)
        ? postgresProblems(url)
        : ['EBB_DATABASE_URL is no URL. Use postgresql://user:password@host:port/database.'],
    ),
    ...judge('EBB_KEY_ENCRYPTION_KEY', values.EBB_KEY_ENCRYPTION_KEY, keyEncryptionKeyProblems),
  ];
}

/** The API may seal and must not be able to open: a private key here would undo the custody of every project. */
function keyEncryptionKeyProblems(text: string): string[] {
  try {
    const jwk = JSON.parse(text) as JsonWebKey;
    if (jwk.d !== undefined) {
      return [
        'EBB_KEY_ENCRYPTION_KEY is a private key, which belongs to runners alone. Give the API the public half.',
      ];
    }
    const { asymmetricKeyDetails } = createPublicKey({ key: jwk, format: 'jwk' });
    if (asymmetricKeyDetails?.namedCurve === 'prime256v1') return [];
  } catch {
    // What the parser says would show a part of the value.
  }
  return [
    'EBB_KEY_ENCRYPTION_KEY is no public JWK of the curve P-256. Give the file `….pub` that the runner wrote beside its key.',
  ];
}

function tlsProblems(options: {
  listen: string;
  cert?: string | undefined;
  key?: string | undefined;
}): string[] {
  const { listen, cert, key } = options;
  if ((cert === undefined) !== (key === undefined))
    return ['EBB_TLS_CERT and EBB_TLS_KEY go together. Set both or none.'];
  if (listen !== '' && cert === undefined && !isLoopback(splitHostPort(listen).host)) {
    return [
      `EBB_LISTEN is ${listen}, which others can reach, but there is no TLS. Set EBB_TLS_CERT and EBB_TLS_KEY.`,
    ];
  }
  return [];
}

/** Splits `host:port`; an IPv6 address loses its brackets. */
export function splitHostPort(listen: string): { host: string; port: number } {
  const at = listen.lastIndexOf(':');
  return { host: listen.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(listen.slice(at + 1)) };
}
