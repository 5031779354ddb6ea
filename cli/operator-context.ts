import { readOperatorConfiguration } from '../api/configuration.ts';
import { createTokenKeySealing } from '../api/custody/custody.ts';
import type { Database } from '../api/db/database.ts';
import { createSigner } from '../api/signing/create-signer.ts';
import { readApiKeys } from '../api/signing/read-api-keys.ts';
import type { Signer } from '../api/signing/signer.ts';
import type { RotationContext } from '../api/token-keys/rotate-token-key.ts';
import { CliError } from './cli-error.ts';
import { openMadeDatabase } from './open-made-database.ts';

/** Who the audit says did it: somebody with a command on the database, of whom Ebb knows no more. */
export const operator = 'operator';

/**
 * Opens the database for a command that changes something, with what its audit entry is signed with; `use` gets the name
 * of the first team, too. Throws ConfigurationError when the API's keys are not given.
 */
export async function withOperatorContext(
  use: (context: RotationContext, teamName: string) => Promise<void>,
): Promise<void> {
  const configuration = readOperatorConfiguration(process.env);
  const keys = await readApiKeys(configuration);
  const database = await openMadeDatabase(configuration.location);
  try {
    const signer = createSigner(keys);
    await requireKeysOfApi(database, signer);
    const sealing = createTokenKeySealing(keys.hookMasterKey);
    await use({ database, signer, sealing, now: () => new Date() }, configuration.EBB_TEAM);
  } finally {
    await database.destroy();
  }
}

/** An entry signed with other keys than the API's would break the trail for whoever verifies it. */
async function requireKeysOfApi(database: Database, signer: Signer): Promise<void> {
  const last = await database
    .selectFrom('audit_head')
    .innerJoin('audit_event', (join) =>
      join
        .onRef('audit_event.team_id', '=', 'audit_head.team_id')
        .onRef('audit_event.seq', '=', 'audit_head.seq'),
    )
    .select('audit_event.key_id')
    .orderBy('audit_head.at', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (!last || signer.jwks().keys.some(({ kid }) => kid === last.key_id)) return;
  throw new CliError(
    'EBB_KEYS_DIR or EBB_RECEIPT_KEY holds another key than the one that the API signs its audit trail with. Give this command the keys that the API has.',
  );
}
