import { randomBytes } from 'node:crypto';
import pino from 'pino';
import { createCustody } from '../api/custody/custody.ts';
import { newId } from '../api/db/new-id.ts';
import { beginKeyEncryptionRotation } from '../api/key-encryption/key-encryption-rotation.ts';
import { insertProject } from '../api/projects/store.ts';
import { type Client, declareBuildableProject, signIn } from '../api/test-client.ts';
import type { TestContext } from '../api/test-context.ts';
import type { KeyWrapper } from '../contract/custody/key-wrapper.ts';
import { type ControlPlane, createControlPlane } from '../runner/build/control-plane.ts';
import type { KeyEncryptionKey } from '../runner/custody/key-encryption-key.ts';
import { createFileKey } from '../runner/custody/key-file.ts';
import { createKeyring } from '../runner/custody/keyring.ts';

/** A runner's way to the API of a test, and the keys that the API knew at its start. */
export async function openKeyWork(given: TestContext) {
  await given.listen();
  const { context, keys } = given;
  const controlPlane = createControlPlane({ url: context.publicUrl, apiKey: keys.runner });
  const first = createFileKey(given.keyEncryptionKey.export({ format: 'jwk' }));
  const admin = await signIn(given, keys.admin);
  const log = pino({ level: 'silent' });
  /** A runner as it is configured, whose `n`th call and every later one fails when `diesAt` is n. */
  const runner = (
    current: KeyEncryptionKey,
    older: KeyEncryptionKey[] = [],
    diesAt = Number.POSITIVE_INFINITY,
  ) => ({
    keyring: createKeyring(current, older),
    controlPlane: dyingAt(controlPlane, diesAt),
    log,
  });
  return { controlPlane, first, admin, runner, signal: () => AbortSignal.timeout(60_000) };
}
export type KeyWork = Awaited<ReturnType<typeof openKeyWork>>;

/** Alternates between dying before a call is sent and after it was answered, which are the two ways to lose it. */
function dyingAt(controlPlane: ControlPlane, diesAt: number): ControlPlane {
  let calls = 0;
  return {
    ...controlPlane,
    async request<T>(...call: Parameters<ControlPlane['request']>): Promise<T> {
      calls += 1;
      if (calls >= diesAt && diesAt % 2 === 0) throw new Error('died before the call');
      const answer = await controlPlane.request<T>(...call);
      if (calls >= diesAt) throw new Error('died after the call');
      return answer;
    },
  };
}

/** The API as if it was started again with another key to wrap with. */
export async function restartApiWith({ context }: TestContext, keyWrapper: KeyWrapper): Promise<void> {
  context.custody = createCustody({ keyWrapper, hookMasterKey: randomBytes(32) });
  await beginKeyEncryptionRotation(context);
}

/** More projects like one that there is, without repositories of their own. */
export async function cloneProject({ context }: TestContext, id: string, count: number): Promise<string[]> {
  const { database, custody } = context;
  const row = await database.selectFrom('project').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  const { build_count: _, version: __, revoking_at: ___, revoked_at: ____, ...declared } = row;
  const made: string[] = [];
  for (let index = 0; index < count; index++) {
    const projectId = newId('prj');
    const { publicKey, wrappedPrivateKey } = await custody.createProjectKey(projectId);
    const keys = { public_key: publicKey, wrapped_private_key: wrappedPrivateKey };
    await insertProject(database, { ...declared, ...keys, id: projectId, name: projectId.replace('_', '-') });
    made.push(projectId);
  }
  return made;
}

/** A project that can be built, with a secret. */
export async function declareWithSecret(given: TestContext, admin: Client) {
  const project = await declareBuildableProject(given, admin, { test: ['true'] });
  const secret = await admin.call('POST', '/v1/secrets', {
    ...{ project_id: project.id, name: 'TOKEN', value: 'hush-before' },
  });
  return { ...project, secretId: String(secret.body.id) };
}
