import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { kmsProblems } from '../contract/custody/kms-variables.ts';
import { isLoopback, isPlainHttp, postgresProblems, redisProblems } from '../contract/transport-security.ts';
import { certificateProblems } from '../contract/verified-tls.ts';
import { smtpUrlProblems } from './mail/smtp-address.ts';
import { githubProblems } from './people/github/github-problems.ts';
import { toEd25519, toMasterKey, toPublicKeys } from './signing/api-keys.ts';
import { parseNetworks } from './source-hosts/rest/guarded-fetch.ts';

/** The values to judge; what is undefined, or malformed and known to be, is left alone. */
export type Values = Record<string, string | undefined>;

const keyVariables = ['EBB_TOKEN_KEY', 'EBB_RECEIPT_KEY', 'EBB_HOOK_MASTER_KEY'] as const;

/** What is dangerous or does not go together in values that are well-formed, one line each, without the values. */
export function unsafeProblems(values: Values): string[] {
  const judge = (name: string, find: (text: string) => string[]) => {
    const text = values[name];
    return text ? find(text) : [];
  };
  return [
    ...listenProblems(values),
    ...judge('EBB_REDIS_URL', (url) =>
      URL.canParse(url)
        ? redisProblems(url)
        : ['EBB_REDIS_URL is no URL. Use rediss://user:password@host:port.'],
    ),
    ...judge('EBB_REDIS_CA', (text) => certificateProblems('EBB_REDIS_CA', text)),
    ...databaseProblems(values),
    ...mailProblems(values),
    ...signUpProblems(values),
    ...githubProblems(values),
    ...judge('EBB_SOURCE_HOST_NETWORKS', networkProblems),
    ...judge('EBB_KEY_ENCRYPTION_KEY', keyEncryptionKeyProblems),
    ...wrappingProblems(values),
    ...apiKeyProblems(values),
  ];
}

function networkProblems(text: string): string[] {
  try {
    parseNetworks(text);
    return [];
  } catch (error) {
    return [`EBB_SOURCE_HOST_NETWORKS: ${(error as Error).message}`];
  }
}

/** Mails go to a server, to the log of a developer's machine, or nowhere; then nobody signs in and no access grant can be given. */
function mailProblems(values: Values): string[] {
  const { EBB_SMTP_URL: url, EBB_MAIL_FROM: from, EBB_SMTP_CA: ca, EBB_MAIL_TO_LOG: toLog } = values;
  const hosts = [
    ...(values.EBB_LISTEN ? [splitHostPort(values.EBB_LISTEN).host] : []),
    // A proxy on this machine brings others here, too.
    ...(values.EBB_PUBLIC_URL && URL.canParse(values.EBB_PUBLIC_URL)
      ? [new URL(values.EBB_PUBLIC_URL).hostname]
      : []),
  ];
  const reachable = hosts.some((host) => !isLoopback(host));
  return [
    ...(url ? smtpUrlProblems(url) : []),
    ...(Boolean(url) !== Boolean(from)
      ? ['EBB_SMTP_URL and EBB_MAIL_FROM go together. Set both, or none to send no mail.']
      : []),
    ...(ca ? certificateProblems('EBB_SMTP_CA', ca) : []),
    ...(toLog === 'true' && url ? ['EBB_MAIL_TO_LOG and EBB_SMTP_URL are both set. Keep one of them.'] : []),
    ...(toLog === 'true' && (reachable || values.EBB_BEHIND_TLS_ROUTER === 'true')
      ? [
          'EBB_MAIL_TO_LOG is for development on one machine, but others can reach this API, and the log would hold links that open their accounts. Set EBB_SMTP_URL.',
        ]
      : []),
  ];
}

/** Who signs up needs a mail, and a cookie that nobody on the way reads. */
function signUpProblems(values: Values): string[] {
  const { EBB_SIGN_UP: signUp, EBB_SMTP_URL: smtp, EBB_MAIL_TO_LOG: toLog, EBB_PUBLIC_URL: url } = values;
  if (signUp === undefined || signUp === 'closed') return [];
  const isReadable = isPlainHttp(url);
  return [
    ...(smtp || toLog === 'true'
      ? []
      : [`EBB_SIGN_UP is ${signUp}, but people sign up by e-mail. Set EBB_SMTP_URL and EBB_MAIL_FROM.`]),
    ...(isReadable
      ? [
          `EBB_SIGN_UP is ${signUp}, but EBB_PUBLIC_URL is http://…, where others read people’s cookies. Use https://….`,
        ]
      : []),
  ];
}

/** Shared with the commands that open nothing but the database. */
export function databaseProblems(values: Values): string[] {
  const { EBB_DATABASE_URL: url, EBB_DATABASE_CA: ca } = values;
  const urlProblems = (text: string) =>
    URL.canParse(text)
      ? postgresProblems(text)
      : ['EBB_DATABASE_URL is no URL. Use postgresql://user:password@host:port/database.'];
  return [...(url ? urlProblems(url) : []), ...(ca ? certificateProblems('EBB_DATABASE_CA', ca) : [])];
}

function wrappingProblems(values: Values): string[] {
  const { EBB_KEY_ENCRYPTION_KEY: file, EBB_KMS_KEY: kms } = values;
  return [
    ...(file && kms
      ? [
          'EBB_KEY_ENCRYPTION_KEY and EBB_KMS_KEY are both set. Keep the one that projects’ keys are to be wrapped with.',
        ]
      : []),
    ...(file || kms
      ? []
      : [
          'EBB_KEY_ENCRYPTION_KEY is not set. Give the public half of the runners’ key (JWK), or a key of AWS KMS in EBB_KMS_KEY.',
        ]),
    ...kmsProblems(values),
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
    'EBB_KEY_ENCRYPTION_KEY is no public JWK of the curve P-256. Give the file `….pub` that `ebb keys FOLDER --key-encryption-key` makes.',
  ];
}

/** The keys come from a folder or, where the disk does not last, from three variables. */
export function apiKeyProblems(values: Values): string[] {
  const given = keyVariables.filter((name) => values[name]);
  if (values.EBB_KEYS_DIR) {
    const beside = [...given, ...(values.EBB_RETIRED_RECEIPT_KEYS ? ['EBB_RETIRED_RECEIPT_KEYS'] : [])];
    if (beside.length === 0) return [];
    return [`EBB_KEYS_DIR and ${beside.join(', ')} are both set. Keep the folder or the variables.`];
  }
  if (given.length === 0) {
    return [
      'EBB_KEYS_DIR is not set. Name a folder that lasts, or set EBB_TOKEN_KEY, EBB_RECEIPT_KEY and EBB_HOOK_MASTER_KEY to what `ebb keys` makes.',
    ];
  }
  const { EBB_TOKEN_KEY: token, EBB_RECEIPT_KEY: receipt } = values;
  return [
    ...keyVariables
      .filter((name) => !values[name])
      .map((name) => `${name} is not set. \`ebb keys\` makes all three.`),
    ...given
      .filter(
        (name) =>
          (name === 'EBB_HOOK_MASTER_KEY' ? toMasterKey : toEd25519)(values[name] ?? '') === undefined,
      )
      .map((name) => `${name} holds no key that can be used. \`ebb keys\` makes all three.`),
    ...(toPublicKeys(values.EBB_RETIRED_RECEIPT_KEYS ?? '')
      ? []
      : [
          'EBB_RETIRED_RECEIPT_KEYS is no JWKS of public Ed25519 keys. `ebb keys FOLDER --json` prints one; a private key does not belong there.',
        ]),
    ...(token && token === receipt
      ? ['EBB_TOKEN_KEY and EBB_RECEIPT_KEY are the same. Tokens and receipts are signed by a key each.']
      : []),
  ];
}

function listenProblems(values: Values): string[] {
  const { EBB_LISTEN: listen, EBB_TLS_CERT: cert, EBB_TLS_KEY: key } = values;
  if (Boolean(cert) !== Boolean(key)) return ['EBB_TLS_CERT and EBB_TLS_KEY go together. Set both or none.'];
  if (values.EBB_BEHIND_TLS_ROUTER === 'true') return routerProblems(values);
  if (!listen || cert || isLoopback(splitHostPort(listen).host)) return [];
  return [
    `EBB_LISTEN is ${listen}, which others can reach, but there is no TLS. Set EBB_TLS_CERT and EBB_TLS_KEY, or EBB_BEHIND_TLS_ROUTER=true when only a router reaches it that ends TLS.`,
  ];
}

/** Behind a router nothing that is kept on this machine lasts, and only the operator knows the address people use. */
function routerProblems(values: Values): string[] {
  return [
    ...(values.EBB_TLS_CERT
      ? ['EBB_TLS_CERT is set, but EBB_BEHIND_TLS_ROUTER says that a router ends TLS. Keep one of them.']
      : []),
    ...(values.EBB_PUBLIC_URL === undefined
      ? ['EBB_PUBLIC_URL is not set. Behind a router it must be the address that people use: https://….']
      : []),
    ...(values.EBB_PUBLIC_URL?.startsWith('http:')
      ? ['EBB_PUBLIC_URL is http://…, but tokens pass there. Use https://….']
      : []),
    ...(values.EBB_DATABASE_URL === undefined
      ? ['EBB_DATABASE_URL is not set. Behind a router PGlite is not used; give a PostgreSQL server.']
      : []),
  ];
}

/** Splits `host:port`; an IPv6 address loses its brackets. */
export function splitHostPort(listen: string): { host: string; port: number } {
  const at = listen.lastIndexOf(':');
  return { host: listen.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(listen.slice(at + 1)) };
}
