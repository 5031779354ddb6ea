import { hostname } from 'node:os';
import { type Static, Type } from 'typebox';
import { ConfigurationError, readEnvironment } from '../contract/environment.ts';
import { apiProblems, redisProblems } from '../contract/transport-security.ts';

const RunnerEnvironment = Type.Object({
  EBB_API_URL: Type.String({
    format: 'uri',
    pattern: '^https?://',
    description: 'Address of the API, such as https://ebb.example.com.',
  }),
  EBB_RUNNER_KEY: Type.String({
    pattern: '^ebb_',
    description: 'An API key with the scope runner; EBB_RUNNER_KEY_FILE may name a file that holds it.',
  }),
  EBB_REDIS_URL: Type.String({
    pattern: '^rediss?://',
    description: 'Address of Redis: rediss://…, or redis://… on this machine.',
  }),
  EBB_REDIS_CA: Type.Optional(Type.String({ description: 'Certificate authority of Redis, PEM.' })),
  EBB_KEY_ENCRYPTION_KEY_FILE: Type.String({
    description: 'File of mode 0600 with the key that unwraps projects’ keys; made when it is not there.',
  }),
  EBB_CACHE_DIR: Type.String({ default: '.ebb/cache', description: 'Folder for built images.' }),
  EBB_RUNTIME_DIR: Type.Optional(Type.String({ description: 'Folder for running VMs, on a tmpfs.' })),
  EBB_RUNNER_NAME: Type.String({ default: `${hostname()}-${process.pid}`, maxLength: 100 }),
  EBB_SLOTS: Type.Integer({
    minimum: 1,
    maximum: 64,
    default: 1,
    description: 'How many builds run at once.',
  }),
  EBB_POOL_SIZE: Type.Integer({
    minimum: 0,
    maximum: 64,
    default: 1,
    description: 'How many fresh VMs wait for a build.',
  }),
  EBB_POOL_MEMORY_MIB: Type.Integer({
    // Below it the image does not unpack.
    minimum: 640,
    default: 1024,
    description: 'Memory of the VMs that wait.',
  }),
});

export type RunnerConfiguration = Static<typeof RunnerEnvironment>;

/** Reads a runner's configuration. Throws ConfigurationError with every problem, the unsafe ones included. */
export function readRunnerConfiguration(environment: NodeJS.ProcessEnv): RunnerConfiguration {
  const configuration = readEnvironment(RunnerEnvironment, environment);
  const problems = [...apiProblems(configuration.EBB_API_URL), ...redisProblems(configuration.EBB_REDIS_URL)];
  if (problems.length > 0) throw new ConfigurationError(problems);
  return configuration;
}
