import { createHash } from 'node:crypto';
import { recordAudit } from '../audit/record-audit.ts';
import type { ApiContext } from '../context.ts';
import { json } from '../db/database.ts';
import { SourceHostError } from '../source-hosts/errors.ts';
import { hostColumns } from '../source-hosts/source-hosts.ts';
import { withDeadline } from '../source-hosts/with-deadline.ts';

const intervalMs = 86_400_000;
const callMs = 20_000;
const atOnce = 10;

/**
 * Asks hosts that publish their SSH host keys for them once a day, over TLS and with the connection's credential, and
 * pins what they say; a change is audited. Keys that were declared are never changed, and none is ever taken from SSH
 * itself. Resolves with how many connections were looked at.
 */
export async function refreshHostKeys(context: ApiContext, signal: AbortSignal): Promise<number> {
  const due = await claimDue(context);
  for (const connection of due) {
    signal.throwIfAborted();
    await refresh(context, connection, signal).catch((error) => {
      signal.throwIfAborted();
      // The pinned keys stay: who is trusted does not change because nobody answers.
      context.log.warn(
        { connection: connection.connection_id, error: String(error) },
        'the SSH host keys of a source host could not be looked up',
      );
    });
  }
  return due.length;
}

type Due = Awaited<ReturnType<typeof claimDue>>[number];

async function claimDue({ database, now, sourceHosts }: ApiContext) {
  const at = now();
  const kinds = (['local', 'github', 'gitlab', 'gitea'] as const).filter(
    (kind) => sourceHosts.kind(kind)?.publishesHostKeys,
  );
  if (kinds.length === 0) return [];
  const isDue = new Date(at.getTime() - intervalMs);
  return await database
    .updateTable('connection')
    .set({ checked_at: at })
    .where('id', 'in', (query) =>
      query
        .selectFrom('connection')
        .select('id')
        .where('deleted_at', 'is', null)
        .where('ssh_host_keys', 'is', null)
        .where('kind', 'in', kinds)
        .where(({ or, eb }) => or([eb('checked_at', 'is', null), eb('checked_at', '<', isDue)]))
        .limit(atOnce)
        .forUpdate()
        .skipLocked(),
    )
    .returning([...hostColumns, 'connection.team_id', 'connection.version'])
    .execute();
}

async function refresh(context: ApiContext, connection: Due, signal: AbortSignal): Promise<void> {
  const { connection_id: id, url } = connection;
  const host = context.sourceHosts.of(connection);
  // Without TLS anybody on the way could have answered.
  if (!host || url?.startsWith('http:')) return;
  const { hostKeys } = await withDeadline(signal, callMs, (inTime) => host.connect(inTime));
  const published = hostKeys.map((line) => line.split(' ').slice(0, 2).join(' '));
  if (published.length === 0) throw new SourceHostError('refused', 'The host publishes no SSH host keys.');
  if (isSame(published, connection.host_keys)) return;
  const { database, log } = context;
  await database.transaction().execute(async (transaction) => {
    const changed = await transaction
      .updateTable('connection')
      .set({ host_keys: json(published), version: connection.version + 1 })
      .where('id', '=', id)
      // Not over a change that a person made meanwhile.
      .where('version', '=', connection.version)
      .returning('id')
      .executeTakeFirst();
    if (!changed) return;
    const detail = {
      before: connection.host_keys.map(fingerprint),
      after: published.map(fingerprint),
    };
    await recordAudit(
      { ...context, database: transaction },
      {
        ...{ teamId: connection.team_id, action: 'connection.host_keys_changed' },
        ...{ actor: 'source host', subject: id, detail },
      },
    );
    log.info({ connection: id }, 'a source host publishes other SSH host keys; they are pinned now');
  });
}

function isSame(left: string[], right: string[]): boolean {
  return left.length === right.length && left.every((line) => right.includes(line));
}

/** As `ssh-keygen -l` prints it. */
function fingerprint(line: string): string {
  const [type = '', blob = ''] = line.split(' ');
  const digest = createHash('sha256').update(Buffer.from(blob, 'base64')).digest('base64');
  return `${type} SHA256:${digest.replace(/={1,2}$/, '')}`;
}
