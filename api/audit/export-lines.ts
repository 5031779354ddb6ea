import { canonicalJson, signedHeadOfEntry } from '../../contract/audit-chain.ts';
import type { Database } from '../db/database.ts';
import { entriesAfter, lastEntry } from './audit-store.ts';

const pageSize = 500;

/**
 * A team's chain as it ends now, oldest entry first: one canonical JSON object a line, and at the end the signed head.
 * One page is in memory at a time. No line for an empty chain.
 */
export async function* exportLines(database: Database, teamId: string): AsyncGenerator<string> {
  const last = await lastEntry(database, teamId);
  if (!last) return;
  let after = 0;
  while (after < last.seq) {
    const page = await entriesAfter(database, teamId, { after, last: last.seq, limit: pageSize });
    if (page.length === 0) break;
    yield page.map((entry) => `${canonicalJson(entry)}\n`).join('');
    after = page.at(-1)?.seq ?? last.seq;
  }
  yield `${canonicalJson({ audit_head: signedHeadOfEntry(last) })}\n`;
}
