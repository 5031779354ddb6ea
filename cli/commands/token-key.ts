import { Command } from 'commander';
import { keyAtWork } from '../../api/token-keys/key-at-work.ts';
import { replaceTokenKeys, rotateTokenKey } from '../../api/token-keys/rotate-token-key.ts';
import { keptAfterSeconds } from '../../api/token-keys/times.ts';
import { listTokenKeys, type TokenKeyRow } from '../../api/token-keys/token-key-store.ts';
import { operator, withOperatorContext } from '../operator-context.ts';

/** `ebb token-key`: for who operates Ebb, straight in the database. With PGlite the API must be stopped meanwhile. */
export function tokenKeyCommand(): Command {
  const command = new Command('token-key').description(
    'Show and rotate the keys that sign access tokens, in the database that EBB_DATABASE_URL or EBB_DATA_DIR names. The API rotates them every thirty days by itself. What is changed is audited and sealed with the keys of EBB_KEYS_DIR or of the variables that the API has.',
  );
  command
    .command('list')
    .description('Show the keys that tokens may be signed with, and when each signs.')
    .action(() =>
      withOperatorContext(async ({ database, now }) => {
        const keys = await listTokenKeys(database);
        const atWork = keyAtWork(keys, now());
        for (const key of keys) console.log(lineOf(key, key === atWork ? 'signs' : stateOf(key, now())));
      }),
    );
  command
    .command('rotate')
    .description(
      'Publish the next key, which signs ten minutes later. No token ends, no process is restarted.',
    )
    .action(() =>
      withOperatorContext(async (context) => {
        const { kid, signsFrom } = await rotateTokenKey(context, operator);
        console.log(
          `ebb: ${kid} is published and signs tokens from ${signsFrom.toISOString()} on. The key of before stays published until the last of its tokens has expired.`,
        );
      }),
    );
  command
    .command('replace')
    .description(
      'When others may know a key: drop every one at once and sign with a new one. All tokens end, those of running builds too.',
    )
    .action(() =>
      withOperatorContext(async (context) => {
        const { kid, dropped } = await replaceTokenKeys(context, operator);
        console.log(
          `ebb: ${dropped.length} keys are dropped, and every token of before has ended. ${kid} signs from now on; who verifies tokens by the published keys may keep those of before for five minutes.`,
        );
      }),
    );
  return command;
}

function stateOf({ signs_from }: TokenKeyRow, now: Date): string {
  return signs_from > now ? 'is next' : 'signed';
}

function lineOf({ kid, signs_from, signs_until }: TokenKeyRow, state: string): string {
  const until = signs_until ? `until ${signs_until.toISOString()}` : '';
  const gone = signs_until
    ? `gone ${new Date(signs_until.getTime() + keptAfterSeconds * 1000).toISOString()}`
    : '';
  return [kid, state, `from ${signs_from.toISOString()}`, until, gone].filter(Boolean).join('  ');
}
