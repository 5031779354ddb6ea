import { Construct } from 'constructs';
import type { Phase } from '../contract/build.ts';
import type { HookEvent } from '../contract/hook-binding.ts';
import { type Connection, DeployKey, HookBinding, Project, Secret } from './bindings/index.ts';
import { checkCiProject } from './check-ci-project.ts';

/** What a `CiProject` is told. Everything but the name and the connection has a default. */
export interface CiProjectProps {
  /** Source host that holds the repository: a connection of this program, or the id of another one. */
  readonly connection: Connection | string;
  /** Name of the project, unique in the team: lower-case letters, digits and hyphens. */
  readonly name: string;
  /**
   * Path of the repository at the source host, without `.git`.
   * @default the name of the project
   */
  readonly repository?: string;
  /**
   * Branch that a build takes when none is named.
   * @default 'main'
   */
  readonly defaultBranch?: string;
  /** Commands that prepare the checkout, such as installing dependencies. */
  readonly setup?: readonly string[];
  /** Commands that must succeed for the build to pass. */
  readonly test?: readonly string[];
  /** Commands that deploy, by the branch that they are for: `{ main: ['./deploy.sh'] }`. Run once, never retried. */
  readonly deploy?: { readonly [branch: string]: readonly string[] };
  /** Environment variables of every command. They are not secret. */
  readonly environment?: { readonly [name: string]: string };
  /** Environment variables that are sealed and masked, by name. */
  readonly secrets?: { readonly [name: string]: CiSecret };
  /**
   * Branches whose pushes, and pull requests into which, start a build; `*` stands for any characters but `/`, `**` for
   * any.
   * @default every branch
   */
  readonly branches?: readonly string[];
  /**
   * Tags whose pushes start a build, by pattern as in `branches`.
   * @default none
   */
  readonly tags?: readonly string[];
  /**
   * What the source host tells: `push` and `pull_request`.
   * @default both, where the source host has both
   */
  readonly events?: readonly HookEvent[];
  /**
   * Any words; when one of them is another than before a new deploy key is made, which is there before the old one is
   * removed.
   */
  readonly rotateDeployKeyWhen?: { readonly [name: string]: string };
  /**
   * Private half of a deploy key that is brought along, Ed25519 as `ssh-keygen` writes it.
   * @default Ebb makes the key
   */
  readonly deployKey?: WriteOnlyValue;
  /**
   * Minutes that a build may take, 1 to 360.
   * @default 60
   */
  readonly timeoutMinutes?: number;
  /**
   * How many builds may run at once, 1 to 100.
   * @default 1
   */
  readonly concurrency?: number;
  /**
   * Which builds a newer push to the same branch, tag or pull request cancels: `waiting`, or `running` for those that run,
   * too. Never one whose deployment has begun.
   * @default 'none'
   */
  readonly cancelIntermediateBuilds?: 'none' | 'waiting' | 'running';
  /**
   * Memory of the VM in MiB, 640 to 65536. All files of a build live in it.
   * @default 1024
   */
  readonly memoryMib?: number;
  /** Ramdisk image of the VM: `base`, or `node` with Node.js 18 and npm of Debian too, which needs 1536 MiB. */
  readonly image?: string;
}

/** A value that is in no plan and no state. */
export interface WriteOnlyValue {
  /**
   * A reference to where the value is at apply, best an `EphemeralVariable`. A literal is refused: it would be written
   * into the synthesized program and the plan.
   */
  readonly value: string;
  /**
   * Another number than before sends the value again.
   * @default 1
   */
  readonly version?: number;
}

/** A secret of a project. */
export interface CiSecret extends WriteOnlyValue {
  /**
   * Phases whose commands see the secret.
   * @default all
   */
  readonly phases?: readonly Phase[];
}

/**
 * A repository that Ebb builds: the project, its read-only deploy key, the hook that starts builds on a push, and its
 * secrets. Throws `CiProjectError`, which lists everything that is wrong with the props.
 *
 * ```ts
 * new CiProject(this, 'shop', {
 *   connection,
 *   name: 'shop',
 *   test: ['./test.sh'],
 *   deploy: { main: ['./deploy.sh'] },
 * });
 * ```
 */
export class CiProject extends Construct {
  readonly project: Project;
  readonly deployKey: DeployKey;
  readonly hookBinding: HookBinding;
  readonly secrets: { readonly [name: string]: Secret };

  constructor(scope: Construct, id: string, props: CiProjectProps) {
    super(scope, id);
    checkCiProject(this.node.path, props);
    const { secrets = {}, branches, tags, events } = props;
    const { rotateDeployKeyWhen: rotateWhen, deployKey: broughtAlong } = props;
    this.project = new Project(this, 'project', projectConfig(props));
    const projectId = this.project.id;
    this.deployKey = new DeployKey(this, 'deploy-key', {
      projectId,
      ...(rotateWhen && { rotateWhen: { ...rotateWhen } }),
      ...(broughtAlong && {
        privateKeyWo: broughtAlong.value,
        privateKeyWoVersion: broughtAlong.version ?? 1,
      }),
    });
    this.secrets = Object.fromEntries(
      Object.entries(secrets).map(([name, { value, version = 1, phases }]) => [
        name,
        new Secret(this, `secret-${name}`, {
          projectId,
          name,
          valueWo: value,
          valueWoVersion: version,
          ...(phases && { phases: [...phases] }),
        }),
      ]),
    );
    // A push must not start a build before it can be checked out and has its secrets.
    this.hookBinding = new HookBinding(this, 'hook-binding', {
      projectId,
      dependsOn: [this.deployKey, ...Object.values(this.secrets)],
      ...(branches && { branches: [...branches] }),
      ...(tags && { tags: [...tags] }),
      ...(events && { events: [...events] }),
    });
  }

  /** Identifier of the project, known after apply. */
  get projectId(): string {
    return this.project.id;
  }

  /** Public half of the deploy key, known after apply. */
  get publicKey(): string {
    return this.deployKey.publicKey;
  }
}

function projectConfig(props: CiProjectProps) {
  const { connection, name, repository = name, setup, test, deploy, environment } = props;
  const { defaultBranch, timeoutMinutes, concurrency, cancelIntermediateBuilds, memoryMib, image } = props;
  return {
    connectionId: typeof connection === 'string' ? connection : connection.id,
    name,
    repository,
    ...(setup && { setup: [...setup] }),
    ...(test && { test: [...test] }),
    ...(deploy && {
      deploy: Object.entries(deploy).map(([branch, commands]) => ({ branch, commands: [...commands] })),
    }),
    ...(environment && { environment: { ...environment } }),
    ...(defaultBranch !== undefined && { defaultBranch }),
    ...(timeoutMinutes !== undefined && { timeoutMinutes }),
    ...(concurrency !== undefined && { concurrency }),
    ...(cancelIntermediateBuilds !== undefined && { cancelIntermediateBuilds }),
    ...(memoryMib !== undefined && { memoryMib }),
    ...(image !== undefined && { image }),
  };
}
