import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startPostgres } from '../../../test/postgres.ts';
import { untilSomebodyWaits } from '../../db/lock-for-tests.ts';
import { openTestContext, type TestContext } from '../../test-context.ts';
import { browserOf } from '../browser-for-tests.ts';
import { requireLivePerson } from '../require-live-person.ts';
import { deleteAccountOf, insertAccount } from './account-store.ts';
import { noteAttempt } from './attempt-store.ts';
import { comeBack } from './come-back.ts';
import type { GithubLogin } from './github-login.ts';

const user = { site: 'https://github.com', id: '7', login: 'ada', email: 'ada@example.com' };
const secrets = { state: 'a state', verifier: 'a verifier' };
let postgres: Awaited<ReturnType<typeof startPostgres>>;
let given: TestContext;
before(async () => {
  postgres = await startPostgres();
  given = await openTestContext({ url: postgres.url });
});
after(async () => {
  await given?.close();
  await postgres?.close();
});

test('who signs in by GitHub while that is disconnected is mailed a link, and neither waits for the other for ever', async () => {
  const { context } = given;
  const { database } = context;
  await browserOf(given, user.email);
  const { id } = await database
    .selectFrom('person')
    .select('id')
    .where('email', '=', user.email)
    .executeTakeFirstOrThrow();
  assert.ok(await insertAccount(database, id, user, context.now()));
  await noteAttempt(context, user.site, secrets, null);
  // What GitHub says is of no interest here: it is asked before anything is locked.
  const github = { site: user.site, identify: async () => user } as unknown as GithubLogin;
  const { signingIn } = await database.transaction().execute(async (disconnecting) => {
    await requireLivePerson(disconnecting, id);
    const signingIn = comeBack(
      { ...context, github },
      {
        parameters: new URLSearchParams({ state: secrets.state, code: 'a code' }),
        ...{ verifier: secrets.verifier, who: undefined, earlier: undefined },
      },
    );
    await untilSomebodyWaits(database);
    assert.equal(await deleteAccountOf(disconnecting, id), user.login);
    return { signingIn };
  });
  assert.equal((await signingIn).said, 'to_be_mailed');
});
