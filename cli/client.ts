import type { Problem } from '../contract/problem.ts';
import type { TokenResponse } from '../contract/token.ts';
import { apiProblems } from '../contract/transport-security.ts';
import { CliError, RefusedError } from './cli-error.ts';
import { printable } from './printable.ts';

/** The API for somebody at a terminal. Every call has a time limit of 30 s and fails with a CliError. */
export interface Client {
  endpoint: string;
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body?: unknown): Promise<T>;
  /** What may be asked again without doing more. */
  change<T>(method: 'PUT' | 'PATCH' | 'DELETE', path: string, body?: object): Promise<T>;
  delete(path: string): Promise<void>;
  /** The status alone, for who wants to know whether something is refused. */
  status(path: string, bearer?: string): Promise<number>;
  /** An answer that goes on until `signal` aborts, such as server-sent events. */
  stream(path: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response>;
  /** A new access token, narrowed to one project when it is given. */
  token(projectId?: string): Promise<string>;
}

export function createClient(options: { endpoint: string; apiKey: string }): Client {
  const endpoint = options.endpoint.replace(/\/+$/, '');
  let bearer: { value: string; renewAt: number } | undefined;

  const token = async (projectId?: string) => {
    const form = new URLSearchParams({ grant_type: 'client_credentials', client_secret: options.apiKey });
    if (projectId) form.set('project_id', projectId);
    const answer = await reach(`${endpoint}/v1/token`, { method: 'POST', body: form });
    const granted = (await read(answer)) as TokenResponse;
    if (!projectId) bearer = { value: granted.access_token, renewAt: Date.now() + granted.expires_in * 500 };
    return granted.access_token;
  };
  const authorization = async () =>
    `Bearer ${bearer && bearer.renewAt > Date.now() ? bearer.value : await token()}`;
  const call = async (path: string, init: RequestInit) =>
    read(
      await reach(endpoint + path, {
        ...init,
        headers: { ...init.headers, authorization: await authorization() },
      }),
    );

  return {
    endpoint,
    token,
    get: async <T>(path: string) => (await call(path, {})) as T,
    post: async <T>(path: string, body: unknown = {}) =>
      (await call(path, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
      })) as T,
    change: async <T>(method: string, path: string, body?: object) =>
      (await call(path, {
        method,
        ...(body ? { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } } : {}),
      })) as T,
    async delete(path) {
      await call(path, { method: 'DELETE' });
    },
    async status(path, given) {
      const answer = await reach(endpoint + path, {
        headers: { authorization: given ? `Bearer ${given}` : await authorization() },
      });
      await answer.arrayBuffer();
      return answer.status;
    },
    async stream(path, headers, signal) {
      const answer = await fetch(endpoint + path, {
        headers: { ...headers, authorization: await authorization() },
        signal,
      });
      if (!answer.ok) await read(answer);
      return answer;
    },
  };
}

/** The client that EBB_ENDPOINT and EBB_API_KEY describe. */
export function clientFromEnvironment(environment: NodeJS.ProcessEnv): Client {
  const endpoint = endpointFromEnvironment(environment);
  const { EBB_API_KEY: apiKey } = environment;
  if (!apiKey)
    throw new CliError(
      'EBB_API_KEY is not set. Set it to an API key; `ebb api` showed one at its first start.',
    );
  return createClient({ endpoint, apiKey });
}

/** The address of the API in EBB_ENDPOINT: over TLS, or on this machine. */
export function endpointFromEnvironment({ EBB_ENDPOINT: endpoint }: NodeJS.ProcessEnv): string {
  if (!endpoint)
    throw new CliError(
      'EBB_ENDPOINT is not set. Set it to the address of the API, such as http://127.0.0.1:4800.',
    );
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol))
    throw new CliError(
      `EBB_ENDPOINT is ${endpoint}, which is no address. Write it like https://ebb.example.com.`,
    );
  const [unsafe] = apiProblems('EBB_ENDPOINT', endpoint);
  if (unsafe) throw new CliError(unsafe);
  return endpoint.replace(/\/+$/, '');
}

async function reach(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...init, signal: AbortSignal.timeout(30_000) });
  } catch (error) {
    const cause = (error as { cause?: { code?: string } }).cause?.code ?? (error as Error).message;
    throw new CliError(`The API at ${new URL(url).origin} does not answer (${cause}). Check EBB_ENDPOINT.`);
  }
}

async function read(answer: Response): Promise<unknown> {
  const body = await answer.text();
  if (answer.ok) return body === '' ? undefined : JSON.parse(body);
  let problem: Partial<Problem> & { error_description?: string } = {};
  try {
    problem = JSON.parse(body);
  } catch {
    // A proxy's page says less than the status does.
  }
  const detail = problem.detail ?? problem.error_description ?? `It answered ${answer.status}.`;
  const fields = (problem.errors ?? [])
    .map((error) => `\n  ${printable(`${error.pointer}: ${error.detail}`)}`)
    .join('');
  throw new RefusedError(answer.status, `${printable(detail)}${fields}`);
}
