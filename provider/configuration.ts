import { readFileSync } from 'node:fs';
import { isLoopback } from '../contract/transport-security.ts';
import { type Diagnostic, DiagnosticError } from './plugin/diagnostic.ts';
import type { Attribute, Schema } from './plugin/schema.ts';
import { isUnknown, type ValueMap } from './plugin/value.ts';

export type Environment = { readonly [name: string]: string | undefined };

/** What the provider works with. */
export interface Configuration {
  endpoint: string;
  apiKey: string;
  /** PEM of certificates trusted beside the public authorities. */
  caCertificate: string | undefined;
}

const optionalString = (description: string): Attribute => ({ type: 'string', optional: true, description });

export const providerSchema: Schema = {
  version: 0,
  description:
    'Declares what a team builds with Ebb: source hosts, projects, deploy keys, hooks and secrets.',
  attributes: {
    endpoint: optionalString(
      "Address of Ebb's API, such as `https://ebb.example.com`. Plain `http` is taken for loopback addresses only. From the environment variable `EBB_ENDPOINT` when absent.",
    ),
    api_key: {
      ...optionalString(
        'API key, `ebb_…`. Better given by the environment variable `EBB_API_KEY`, or by `EBB_API_KEY_FILE` as the path of a file that holds it.',
      ),
      sensitive: true,
    },
    ca_certificate: optionalString(
      'PEM of certificates that are trusted beside the public authorities that Node.js knows; those of the system are not read. From the file that the environment variable `EBB_CA_CERTIFICATE_FILE` names when absent.',
    ),
  },
};

/** Judges what is written in the provider block; what is missing may come from the environment later. */
export function validateConfiguration(config: ValueMap): Diagnostic[] {
  return [
    ...problems(config, 'endpoint', endpointProblem),
    ...problems(config, 'api_key', apiKeyProblem),
    ...problems(config, 'ca_certificate', certificateProblem),
  ];
}

/**
 * Completes the provider block from the environment. Throws a `DiagnosticError` that lists every problem; undefined
 * when a value is unknown until apply.
 */
export function readConfiguration(config: ValueMap, environment: Environment): Configuration | undefined {
  if (Object.values(config).some(isUnknown)) return undefined;
  const errors: Diagnostic[] = [];
  const take = (
    name: string,
    variable: string,
    problem: (text: string) => string | undefined,
    hint: string,
  ) => {
    const found = configured(config, name) ?? fromEnvironment(environment, variable, name, errors);
    const wrong = found === undefined ? hint : problem(found);
    if (wrong && !errors.some(({ path }) => path?.[0] === name)) errors.push(invalid(name, wrong));
    return found ?? '';
  };
  const endpoint = take('endpoint', 'EBB_ENDPOINT', endpointProblem, missingEndpoint);
  const apiKey = take('api_key', 'EBB_API_KEY', apiKeyProblem, missingApiKey);
  const caCertificate =
    configured(config, 'ca_certificate') ??
    fromFile(environment, 'EBB_CA_CERTIFICATE_FILE', 'ca_certificate', errors);
  const certificateWrong = caCertificate && certificateProblem(caCertificate);
  if (certificateWrong) errors.push(invalid('ca_certificate', certificateWrong));
  if (errors.length > 0) throw new DiagnosticError(errors);
  return { endpoint: endpoint.replace(/\/+$/, ''), apiKey, caCertificate };
}

const missingEndpoint =
  'Ebb\'s address is not known: set "endpoint" in the provider block, or the environment variable EBB_ENDPOINT, for example to https://ebb.example.com.';
const missingApiKey =
  'No API key was given: set the environment variable EBB_API_KEY, or EBB_API_KEY_FILE to the path of a file that holds it, or "api_key" in the provider block.';

function endpointProblem(text: string): string | undefined {
  const source = '(from "endpoint" or EBB_ENDPOINT)';
  if (!URL.canParse(text)) return `"${text}" is no address ${source}: write it like https://ebb.example.com.`;
  const url = new URL(text);
  if (url.username || url.password || url.search || url.hash) {
    return `The address ${source} must hold no user, password, query or fragment: write it like https://ebb.example.com.`;
  }
  if (url.protocol === 'https:') return undefined;
  if (url.protocol !== 'http:') return `"${text}" ${source} must begin with https://.`;
  if (isLoopback(url.hostname)) return undefined;
  return `"${text}" ${source} would send the API key unencrypted: use https://. Plain http:// is taken for loopback addresses only.`;
}

function apiKeyProblem(text: string): string | undefined {
  if (/^ebb_[\x21-\x7e]+$/.test(text)) return undefined;
  return 'This is no API key of Ebb (from "api_key", EBB_API_KEY or EBB_API_KEY_FILE): a key begins with ebb_ and has no spaces.';
}

function certificateProblem(text: string): string | undefined {
  if (text.includes('-----BEGIN CERTIFICATE-----')) return undefined;
  return 'This holds no certificate in PEM form (from "ca_certificate" or EBB_CA_CERTIFICATE_FILE): it must have a line -----BEGIN CERTIFICATE-----.';
}

function configured(config: ValueMap, name: string): string | undefined {
  const value = config[name];
  return typeof value === 'string' ? value : undefined;
}

/** The variable itself, or the file that the variable with `_FILE` names. */
function fromEnvironment(environment: Environment, variable: string, name: string, errors: Diagnostic[]) {
  return environment[variable]?.trim() || fromFile(environment, `${variable}_FILE`, name, errors);
}

function fromFile(environment: Environment, variable: string, name: string, errors: Diagnostic[]) {
  const path = environment[variable];
  if (!path) return undefined;
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    errors.push(invalid(name, `The file that ${variable} names cannot be read: ${reason}.`));
    return undefined;
  }
}

function problems(
  config: ValueMap,
  name: string,
  problem: (text: string) => string | undefined,
): Diagnostic[] {
  const value = configured(config, name);
  const wrong = value === undefined ? undefined : problem(value);
  return wrong ? [invalid(name, wrong)] : [];
}

function invalid(name: string, detail: string): Diagnostic {
  return { severity: 'error', summary: `Invalid provider configuration: ${name}`, detail, path: [name] };
}
