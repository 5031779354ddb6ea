import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { deployKey } from '../contract/deploy-key.ts';
import { hookBinding } from '../contract/hook-binding.ts';
import { project } from '../contract/project.ts';
import { secret } from '../contract/secret.ts';
import { Token } from './cdktf.ts';
import type { CiProjectProps, CiSecret, WriteOnlyValue } from './ci-project.ts';

/** Everything that is wrong with the props of a `CiProject`. */
export class CiProjectError extends Error {
  readonly code = 'invalid_ci_project';
  readonly problems: readonly string[];

  constructor(path: string, problems: readonly string[]) {
    super(
      `The project "${path}" cannot be declared:\n${problems.map((problem) => `- ${problem}`).join('\n')}`,
    );
    this.name = 'CiProjectError';
    this.problems = problems;
  }
}

/** Checks props against the contract, before anything is synthesized. What Terraform decides later is not judged. */
export function checkCiProject(path: string, props: CiProjectProps): void {
  const { connection, secrets = {} } = props;
  const attributes = { ...project.fixed, ...project.changeable };
  const problems = [
    ...unknownNames('', props, known),
    ...(typeof connection === 'string' ? judge('connection', connection, attributes.connection_id) : []),
    ...judge('name', props.name, attributes.name),
    ...judge('repository', props.repository, attributes.repository),
    ...judge('defaultBranch', props.defaultBranch, attributes.default_branch),
    ...judge('setup', props.setup, attributes.setup),
    ...judge('test', props.test, attributes.test),
    ...judge('deploy', deployments(props.deploy), attributes.deploy),
    ...judge('environment', props.environment, attributes.environment),
    ...judgeEnvironmentNames(props.environment),
    ...judge('timeoutMinutes', props.timeoutMinutes, attributes.timeout_minutes),
    ...judge('concurrency', props.concurrency, attributes.concurrency),
    ...judge(
      'cancelIntermediateBuilds',
      props.cancelIntermediateBuilds,
      attributes.cancel_intermediate_builds,
    ),
    ...judge('memoryMib', props.memoryMib, attributes.memory_mib),
    ...judge('image', props.image, attributes.image),
    ...judge('branches', props.branches, hookBinding.changeable.branches),
    ...judge('tags', props.tags, hookBinding.changeable.tags),
    ...judge('events', props.events, hookBinding.changeable.events),
    ...judge('rotateDeployKeyWhen', props.rotateDeployKeyWhen, deployKey.changeable.rotate_when),
    ...judgeDeployKey(props),
    ...Object.entries(secrets).flatMap(([name, value]) => judgeSecret(name, value, props)),
    ...judgeCommands(props),
  ];
  if (problems.length > 0) throw new CiProjectError(path, problems);
}

/** Programs may run without their types being checked, and a name that is not known would be as if it were not there. */
const known: { readonly [K in keyof Required<CiProjectProps>]: true } = {
  ...{ connection: true, name: true, repository: true, defaultBranch: true, setup: true, test: true },
  ...{ deploy: true, environment: true, secrets: true, branches: true, tags: true, events: true },
  ...{ rotateDeployKeyWhen: true, deployKey: true, timeoutMinutes: true, concurrency: true },
  ...{ memoryMib: true, image: true, cancelIntermediateBuilds: true },
};
const knownOfDeployKey: { readonly [K in keyof Required<WriteOnlyValue>]: true } = {
  value: true,
  version: true,
};
const knownOfSecret: { readonly [K in keyof Required<CiSecret>]: true } = {
  ...knownOfDeployKey,
  phases: true,
};

function unknownNames(where: string, given: object, names: object): string[] {
  const others = Object.keys(given).filter((name) => !Object.hasOwn(names, name));
  const all = Object.keys(names).join(', ');
  return others.map((name) => `${where}${name} is not known. There are: ${all}.`);
}

function judge(name: string, value: unknown, schema: TSchema): string[] {
  if (value === undefined || holdsToken(value)) return [];
  const { description } = schema as { description?: string };
  return Value.Errors(schema, value).map(({ instancePath, message }) => {
    const where = `${name}${instancePath.replaceAll('/', '.')}`;
    const shown = typeof value === 'object' ? '' : ` ${JSON.stringify(value)}`;
    return `${where}${shown} ${message}. ${description ?? ''}`.trim();
  });
}

/** JSON Schema leaves members alone that match no pattern. */
function judgeEnvironmentNames(environment: CiProjectProps['environment'] = {}): string[] {
  const { patternProperties } = project.changeable.environment as { patternProperties?: object };
  const patterns = Object.keys(patternProperties ?? {}).map((pattern) => new RegExp(pattern));
  const wrong = Object.keys(environment).filter((name) => !patterns.some((pattern) => pattern.test(name)));
  return wrong.map(
    (name) =>
      `environment.${name} is no name of a variable: use letters, digits and underscores, and no digit at the start.`,
  );
}

function judgeDeployKey({ deployKey: broughtAlong, rotateDeployKeyWhen }: CiProjectProps): string[] {
  if (!broughtAlong) return [];
  const problems = [
    ...unknownNames('deployKey.', broughtAlong, knownOfDeployKey),
    ...judgeWriteOnly('deployKey', broughtAlong),
  ];
  if (rotateDeployKeyWhen) {
    problems.push(
      'rotateDeployKeyWhen has no meaning for a deployKey that you bring along: leave one of them out.',
    );
  }
  return problems;
}

function judgeSecret(name: string, given: CiSecret, props: CiProjectProps): string[] {
  const where = `secrets.${name}`;
  const problems = [
    ...judge(`the name of ${where}`, name, secret.fixed.name),
    ...judge(`${where}.phases`, given.phases, secret.changeable.phases),
    ...judgeWriteOnly(where, given),
    ...unknownNames(`${where}.`, given, knownOfSecret),
  ];
  if (Object.hasOwn(props.environment ?? {}, name)) {
    problems.push(`${name} is in both secrets and environment; leave it out of one of them.`);
  }
  return problems;
}

function judgeWriteOnly(where: string, { value, version }: WriteOnlyValue): string[] {
  const problems: string[] = [];
  if (!holdsToken(value)) {
    problems.push(
      `${where}.value is a literal, which would be written into the synthesized program and the plan. Give a reference, such as the value of an EphemeralVariable.`,
    );
  }
  if (version !== undefined && !Token.isUnresolved(version) && !Number.isInteger(version)) {
    problems.push(`${where}.version must be a whole number; raise it when the value changes.`);
  }
  return problems;
}

function judgeCommands({ setup = [], test = [], deploy = {} }: CiProjectProps): string[] {
  if (setup.length + test.length + Object.keys(deploy).length > 0) return [];
  return ['there is nothing to run: give at least one command in setup, test or deploy.'];
}

function deployments(deploy: CiProjectProps['deploy']) {
  return deploy && Object.entries(deploy).map(([branch, commands]) => ({ branch, commands }));
}

/** Whether something in it is known to Terraform only: a token of cdktf, or a reference in Terraform's own words. */
function holdsToken(value: unknown): boolean {
  if (Token.isUnresolved(value)) return true;
  if (typeof value === 'string') return /\$\{/.test(value);
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([key, item]) => Token.isUnresolved(key) || holdsToken(item));
}
