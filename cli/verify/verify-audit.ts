import Value from 'typebox/value';
import { AuditEntry, AuditExportEnd, type AuditHead } from '../../contract/audit.ts';
import { canonicalJson, chainStart, hashOfEntry, headOfEntry } from '../../contract/audit-chain.ts';
import { DsseEnvelope } from '../../contract/receipt.ts';
import { createHeadCheck, type HeadCheck } from './audit-head-check.ts';

/** A trail that holds: what it is of, and what there is to know of it. */
export interface AuditSummary {
  team: string;
  entries: number;
  first: string;
  end: AuditHead;
  keyids: string[];
  /** Seq of the kept heads that lie on the chain. */
  keptHeads: number[];
  /** Entries whose server's clock was behind, by `detail.clock`. */
  behindClock: number;
}

export type AuditVerdict = { ok: true; summary: AuditSummary } | { ok: false; problem: string };

/** Why a trail does not hold; becomes the verdict. */
class Broken extends Error {}

/**
 * Checks an exported audit trail offline, line by line in constant memory: that each line is what was hashed, that the
 * hashes form one chain without gaps from 1, that each entry is signed by one of `jwks` that was in use then, that times never go back, that
 * the signed head at the end is that of the last entry, and that every head of `keptHeads` lies on the chain. Never
 * throws for what the lines hold; `problem` is a sentence that names line and entry.
 *
 * @see docs/decisions/audit-chain.md
 */
export async function verifyAudit(
  lines: AsyncIterable<string> | Iterable<string>,
  { jwks, keptHeads = [] }: { jwks: unknown; keptHeads?: unknown[] },
): Promise<AuditVerdict> {
  const check = createHeadCheck(jwks);
  try {
    const heads = keptHeads.map((head, index) => openKeptHead(check, head, index + 1));
    return { ok: true, summary: await walk(lines, check, heads) };
  } catch (error) {
    if (error instanceof Broken) return { ok: false, problem: error.message };
    throw error;
  }
}

async function walk(
  lines: AsyncIterable<string> | Iterable<string>,
  check: HeadCheck,
  heads: AuditHead[],
): Promise<AuditSummary> {
  let last: AuditEntry | undefined;
  let end: AuditHead | undefined;
  let count = 0;
  const summary = { first: '', behindClock: 0 };
  for await (const text of lines) {
    count += 1;
    const at = `line ${count}`;
    if (end) throw new Broken(`${at} comes after the head that ends the trail: something was added.`);
    const value = parseLine(text, at);
    if (Value.Check(AuditExportEnd, value)) {
      end = checkEnd(check, value, last, at);
      continue;
    }
    if (!Value.Check(AuditEntry, value)) throw new Broken(`${at} is no audit entry.`);
    checkEntry(value, last, at);
    const problem = check.entry(value);
    if (problem) throw new Broken(`${nameOf(value, at)} ${problem}`);
    for (const head of heads) checkKeptHead(head, value, at);
    if (!last) summary.first = value.at;
    if ('clock' in value.detail) summary.behindClock += 1;
    last = value;
  }
  if (!end)
    throw new Broken(
      'The trail does not end with a signed head: the end was cut off, or the export broke off. Export it again.',
    );
  for (const head of heads) requireReached(head, end);
  const { team, seq: entries } = end;
  const keptHeads = heads.map(({ seq }) => seq);
  return { team, entries, end, ...summary, keyids: check.keyids(), keptHeads };
}

/** Canonical text alone: of two texts with one meaning, such as a name that is there twice, programs may read either. */
function parseLine(text: string, at: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Broken(`${at} is not JSON.`);
  }
  if (isReceipt(value))
    throw new Broken(`${at} is a receipt, not an entry of a trail: ebb verify FILE checks it.`);
  if (isCanonical(value, text)) return value;
  throw new Broken(
    `${at} is not in canonical form (RFC 8785): it was edited, or written by another program.`,
  );
}

function isReceipt(value: unknown): boolean {
  const { envelope, payloadType } = (value ?? {}) as { envelope?: unknown; payloadType?: unknown };
  return envelope !== undefined || payloadType === DsseEnvelope.properties.payloadType.const;
}

function isCanonical(value: unknown, text: string): boolean {
  try {
    return canonicalJson(value) === text;
  } catch {
    return false;
  }
}

function checkEntry(entry: AuditEntry, last: AuditEntry | undefined, at: string): void {
  const name = nameOf(entry, at);
  const expected = (last?.seq ?? 0) + 1;
  if (last && entry.team !== last.team)
    throw new Broken(`${name} is of the team ${entry.team}, the entries before it are of ${last.team}.`);
  if (entry.seq > expected)
    throw new Broken(`${at}: ${missing(expected, entry.seq - 1)} missing before entry ${entry.seq}.`);
  if (entry.seq < expected)
    throw new Broken(`${name} comes where entry ${expected} belongs: it was moved or is there twice.`);
  if (entry.hash !== hashOfEntry(entry))
    throw new Broken(`${name} was edited: its hash is not that of what it says.`);
  if (entry.previous !== (last?.hash ?? chainStart))
    throw new Broken(
      last
        ? `${name} does not follow the entry before it: its previous hash is not that of entry ${last.seq}.`
        : `${name} is not the start of a chain: its previous hash is not zero.`,
    );
  if (last && entry.at < last.at)
    throw new Broken(`${name} is older than the entry before it: ${entry.at} after ${last.at}.`);
}

function checkEnd(
  check: HeadCheck,
  value: AuditExportEnd,
  last: AuditEntry | undefined,
  at: string,
): AuditHead {
  const opened = check.head(value.audit_head);
  if ('problem' in opened) throw new Broken(`The head at ${at} does not hold: ${opened.problem}`);
  if (!last)
    throw new Broken(
      `The head at ${at} speaks of entry ${opened.head.seq}, but there is no entry before it.`,
    );
  if (!isSame(opened.head, last))
    throw new Broken(
      `The head at ${at} speaks of entry ${opened.head.seq} of the team ${opened.head.team}, which is not the last one, entry ${last.seq} of ${last.team}: entries were cut off, added or exchanged.`,
    );
  return opened.head;
}

function openKeptHead(check: HeadCheck, head: unknown, number: number): AuditHead {
  const opened = check.head(headIn(head));
  if ('problem' in opened) throw new Broken(`Kept head ${number} does not hold: ${opened.problem}`);
  return opened.head;
}

/** A head, the end of an export, or what a receipt carries; its own signature is what counts. */
function headIn(kept: unknown): unknown {
  const { audit_head: head, envelope = kept } = (kept ?? {}) as { audit_head?: unknown; envelope?: unknown };
  if (head !== undefined) return head;
  if (!Value.Check(DsseEnvelope, envelope)) return kept;
  try {
    return JSON.parse(Buffer.from(envelope.payload, 'base64').toString()).predicate.audit_head;
  } catch {
    return undefined;
  }
}

function checkKeptHead(head: AuditHead, entry: AuditEntry, at: string): void {
  if (head.team !== entry.team)
    throw new Broken(`The kept head is of the team ${head.team}, the trail of ${entry.team}.`);
  if (head.seq === entry.seq && !isSame(head, entry))
    throw new Broken(
      `${nameOf(entry, at)} is not the one that the kept head saw: the trail was rewritten, or an old copy of it continued.`,
    );
}

function requireReached(head: AuditHead, end: AuditHead): void {
  if (head.seq <= end.seq) return;
  throw new Broken(
    `The kept head speaks of entry ${head.seq}, but the trail ends with entry ${end.seq}: its end was cut off, or an old copy was put back. If the head is younger than the export: export again.`,
  );
}

function isSame(head: AuditHead, entry: AuditHead): boolean {
  return canonicalJson(head) === canonicalJson(headOfEntry(entry));
}

function nameOf({ seq }: AuditEntry, at: string): string {
  return `Entry ${seq} (${at})`;
}

function missing(from: number, to: number): string {
  return from === to ? `entry ${from} is` : `entries ${from} to ${to} are`;
}
