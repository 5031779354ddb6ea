import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { App, TerraformStack, Testing } from './cdktf.ts';
import { CiProject, CiProjectError, type CiProjectProps, Connection, EphemeralVariable } from './index.ts';

const connectionId = 'conn_00000000000000000000000000';
const minimal: CiProjectProps = { connection: connectionId, name: 'shop', test: ['make test'] };

interface Synthesized {
  resource: Record<string, Record<string, Record<string, unknown>>>;
  variable?: Record<string, Record<string, unknown>>;
}

const outdir = mkdtempSync(join(tmpdir(), 'ebb-synthesis-'));
after(() => rmSync(outdir, { recursive: true }));

function newStack(): TerraformStack {
  return new TerraformStack(new App({ outdir }), 'test');
}

function synthesize(declare: (stack: TerraformStack) => void): Synthesized {
  const stack = newStack();
  declare(stack);
  return JSON.parse(Testing.synth(stack)) as Synthesized;
}

function only(synthesized: Synthesized, type: string): Record<string, unknown> {
  const found = Object.values(synthesized.resource[type] ?? {});
  assert.equal(found.length, 1, `${type}: ${found.length}`);
  return found[0] ?? {};
}

function problems(props: CiProjectProps): readonly string[] {
  const stack = newStack();
  try {
    new CiProject(stack, 'shop', props);
  } catch (error) {
    assert.ok(error instanceof CiProjectError);
    assert.match(error.message, /^The project "test\/shop" cannot be declared:\n- /);
    return error.problems;
  }
  return [];
}

test('a project comes with its key and its hook, and says only what was said', () => {
  const synthesized = synthesize((stack) => new CiProject(stack, 'shop', minimal));
  const { '//': _, ...project } = only(synthesized, 'ebb_project');
  assert.deepEqual(project, {
    connection_id: connectionId,
    name: 'shop',
    repository: 'shop',
    test: ['make test'],
  });
  assert.match(String(only(synthesized, 'ebb_deploy_key').project_id), /^\$\{ebb_project\..*\.id\}$/);
  assert.equal(synthesized.resource.ebb_secret, undefined);
});

test('the hook is bound last', () => {
  const synthesized = synthesize((stack) => {
    const value = new EphemeralVariable(stack, 'token', { description: 'A token.' }).stringValue;
    new CiProject(stack, 'shop', { ...minimal, secrets: { TOKEN: { value } } });
  });
  const { depends_on: before } = only(synthesized, 'ebb_hook_binding') as { depends_on: string[] };
  assert.equal(before.length, 2);
  assert.ok(before.some((name) => name.startsWith('ebb_deploy_key.')));
  assert.ok(before.some((name) => name.startsWith('ebb_secret.')));
});

test('a secret comes from an ephemeral variable into a write-only attribute', () => {
  const synthesized = synthesize((stack) => {
    const value = new EphemeralVariable(stack, 'token', { description: 'A token.' }).stringValue;
    new CiProject(stack, 'shop', { ...minimal, secrets: { TOKEN: { value, phases: ['deploy'] } } });
  });
  const secret = only(synthesized, 'ebb_secret');
  assert.partialDeepStrictEqual(secret, { name: 'TOKEN', phases: ['deploy'], value_wo_version: 1 });
  assert.match(String(secret.value_wo), /^\$\{var\.token\}$/);
  assert.partialDeepStrictEqual(synthesized.variable?.token, {
    ephemeral: true,
    sensitive: true,
    type: 'string',
  });
});

test('deployments are declared by branch, and a connection by its construct', () => {
  const synthesized = synthesize((stack) => {
    const connection = new Connection(stack, 'local', { name: 'local', kind: 'local' });
    new CiProject(stack, 'shop', {
      ...minimal,
      connection,
      deploy: { main: ['./deploy.sh'], next: ['./stage.sh'] },
    });
  });
  const project = only(synthesized, 'ebb_project');
  assert.deepEqual(project.deploy, [
    { branch: 'main', commands: ['./deploy.sh'] },
    { branch: 'next', commands: ['./stage.sh'] },
  ]);
  assert.match(String(project.connection_id), /^\$\{ebb_connection\.local\.id\}$/);
});

test('all that is wrong is listed, with field, problem and fix', () => {
  const found = problems({
    ...minimal,
    name: 'Shop!',
    timeoutMinutes: 0,
    environment: { '1A': 'x' },
    deploy: { main: [] },
  });
  assert.equal(found.length, 4, found.join('\n'));
  assert.match(found[0] ?? '', /^name "Shop!" must match pattern .*Lower-case letters/);
});

test('a secret whose value is written into the program is refused without being shown', () => {
  const [problem, ...more] = problems({ ...minimal, secrets: { TOKEN: { value: 'hunter2' } } });
  assert.deepEqual(more, []);
  assert.match(problem ?? '', /secrets\.TOKEN\.value is a literal.*EphemeralVariable/);
  assert.doesNotMatch(problem ?? '', /hunter2/);
});

test('a project that runs nothing is refused', () => {
  assert.match(problems({ connection: connectionId, name: 'shop' })[0] ?? '', /there is nothing to run/);
});

test('a name that is both secret and plain is refused', () => {
  const value = `$\{var.token}`;
  assert.deepEqual(problems({ ...minimal, environment: { TOKEN: 'x' }, secrets: { TOKEN: { value } } }), [
    'TOKEN is in both secrets and environment; leave it out of one of them.',
  ]);
});

test('a name that is not known is refused: a slip must not widen what a secret is for', () => {
  const reference = `\${var.token}`;
  const slips = { timeoutMinuts: 20, secrets: { TOKEN: { value: reference, phase: ['test'] } } };
  const found = problems({ ...minimal, ...slips } as CiProjectProps);
  assert.equal(found.length, 2, found.join());
  assert.match(found[0] ?? '', /^timeoutMinuts is not known\. There are: .*timeoutMinutes/);
  assert.match(found[1] ?? '', /^secrets\.TOKEN\.phase is not known\. There are: value, version, phases\.$/);
});

test('a deploy key is brought along by reference, or made by Ebb, and not both', () => {
  const synthesized = synthesize(
    (stack) =>
      new CiProject(stack, 'shop', {
        ...minimal,
        deployKey: { value: new EphemeralVariable(stack, 'key', { description: 'A key.' }).stringValue },
      }),
  );
  assert.partialDeepStrictEqual(only(synthesized, 'ebb_deploy_key'), {
    ...{ private_key_wo: `\${var.key}`, private_key_wo_version: 1 },
  });
  assert.match(problems({ ...minimal, deployKey: { value: 'PEM' } }).join(), /deployKey\.value is a literal/);
  assert.match(
    problems({ ...minimal, deployKey: { value: `\${var.key}` }, rotateDeployKeyWhen: { a: 'b' } }).join(),
    /rotateDeployKeyWhen has no meaning/,
  );
});
