import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { createSigner } from '../../api/signing/create-signer.ts';
import type { AuditEntry } from '../../contract/audit.ts';
import {
  canonicalJson,
  chainStart,
  hashOfEntry,
  headOfEntry,
  signedHeadOfEntry,
} from '../../contract/audit-chain.ts';
import { describeAudit } from './describe-audit.ts';
import { verifyAudit } from './verify-audit.ts';
import { verifyReceipt } from './verify-receipt.ts';

const privateJwk = () => generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
const newSigner = () => createSigner({ receiptKey: privateJwk() });
const signer = newSigner();
const jwks = signer.jwks();
const team = `team_${'0'.repeat(26)}`;
const otherTeam = `team_${'1'.repeat(26)}`;

type Content = Partial<Omit<AuditEntry, 'hash' | 'signature'>>;

/** An entry as whoever has the key of `by` would write it after `last`. */
function entryAfter(last: AuditEntry | undefined, content: Content = {}, by = signer): AuditEntry {
  const seq = (last?.seq ?? 0) + 1;
  const entry = {
    id: `aud_${String(seq).padStart(26, '0')}`,
    team,
    seq,
    previous: last?.hash ?? chainStart,
    at: new Date(Date.UTC(2026, 0, 1, 0, 0, seq)).toISOString(),
    action: 'project.changed',
    actor: 'key_1',
    subject: 'prj_1',
    detail: { changed: ['test'], line: '\u2028', number: 1e21, ü: null },
    ...content,
  };
  const hash = hashOfEntry(entry);
  const [signature] = by.signAuditHead(headOfEntry({ ...entry, hash })).signatures;
  assert.ok(signature);
  return { ...entry, hash, signature };
}

function chain(length: number, content: (seq: number) => Content = () => ({}), by = signer): AuditEntry[] {
  const entries: AuditEntry[] = [];
  for (let seq = 1; seq <= length; seq++) entries.push(entryAfter(entries.at(-1), content(seq), by));
  return entries;
}

/** As the API exports it. */
function exported(entries: AuditEntry[], last = entries.at(-1)): string[] {
  assert.ok(last);
  return [...entries, { audit_head: signedHeadOfEntry(last) }].map(canonicalJson);
}

function at(entries: AuditEntry[], seq: number): AuditEntry {
  const entry = entries[seq - 1];
  assert.ok(entry);
  return entry;
}

async function problemOf(lines: string[], keptHeads: unknown[] = []): Promise<string> {
  const verdict = await verifyAudit(lines, { jwks, keptHeads });
  return verdict.ok ? 'It holds.' : verdict.problem;
}

const trail = chain(6);

test('a trail as the API exports it holds, and what was checked is told', async () => {
  const verdict = await verifyAudit(exported(trail), { jwks, keptHeads: [signedHeadOfEntry(at(trail, 3))] });
  assert.ok(verdict.ok);
  assert.equal(verdict.summary.entries, 6);
  assert.deepEqual(verdict.summary.keptHeads, [3]);
  assert.match(
    describeAudit(verdict.summary).join('\n'),
    /6 entries.*kept head lies on the chain, at entry 3/s,
  );
});

test('a trail whose entries were signed with keys that came one after the other holds', async () => {
  const next = newSigner();
  const entries = [...trail, entryAfter(trail.at(-1), {}, next)];
  const both = { keys: [...jwks.keys, ...next.jwks().keys] };
  const verdict = await verifyAudit(exported(entries), { jwks: both });
  assert.ok(verdict.ok && verdict.summary.keyids.length === 2);
});

test('a key signs for the time in which it was in use, and no other', async () => {
  const retired = newSigner();
  const entries = [...trail, entryAfter(trail.at(-1), {}, retired)];
  const seconds = (seq: number) => Date.parse(at(entries, seq).at) / 1000;
  const keys = (period: { iat?: number; exp?: number }) => ({
    keys: [...jwks.keys, ...retired.jwks().keys.map((key) => ({ ...key, ...period }))],
  });
  const problemWith = async (period: object) => {
    const verdict = await verifyAudit(exported(entries), { jwks: keys(period) });
    return verdict.ok ? 'It holds.' : verdict.problem;
  };
  assert.equal(await problemWith({ iat: seconds(7) - 1, exp: seconds(7) + 1 }), 'It holds.');
  assert.match(await problemWith({ exp: seconds(6) }), /^Entry 7 .* was in use until .* only/);
  assert.match(await problemWith({ iat: seconds(7) + 1 }), /^Entry 7 .* is in use since .* only/);
});

test('a line that Ebb signed once holds for ever: the format does not drift', async () => {
  const key = {
    ...{ kty: 'OKP', crv: 'Ed25519', kid: '1IG2tMH7J2wbJZnOf8LJzQitKf7LMvoAElsuDMVM54Y', ebb_use: 'receipt' },
    x: 'A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg',
  };
  const line =
    '{"action":"secret.created","actor":"key_1","at":"2026-11-25T12:00:00.000Z","detail":{"count":3,"name":"CLÉ"},"hash":"27a643b6c85c49d9e67fe1f480580c2c20def79aa69e54a1978fa19a9ee9301b","id":"aud_00000000000000000000000001","previous":"0000000000000000000000000000000000000000000000000000000000000000","seq":1,"signature":{"keyid":"1IG2tMH7J2wbJZnOf8LJzQitKf7LMvoAElsuDMVM54Y","sig":"nIYV2lkxb3zht7192pgN/gjV8Xls76J4TtKbipW+YSaDQ1qV43ylo/UEE0j2okj1JP08aWgt7azjz8LMKZPPBg=="},"subject":"sec_1","team":"team_00000000000000000000000000"}';
  const verdict = await verifyAudit(
    [
      line,
      '{"audit_head":{"payload":"eyJhdCI6IjIwMjYtMTEtMjVUMTI6MDA6MDAuMDAwWiIsImhhc2giOiIyN2E2NDNiNmM4NWM0OWQ5ZTY3ZmUxZjQ4MDU4MGMyYzIwZGVmNzlhYTY5ZTU0YTE5NzhmYTE5YTllZTkzMDFiIiwic2VxIjoxLCJ0ZWFtIjoidGVhbV8wMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMCJ9","payloadType":"application/vnd.ebb.audit-head+json","signatures":[{"keyid":"1IG2tMH7J2wbJZnOf8LJzQitKf7LMvoAElsuDMVM54Y","sig":"nIYV2lkxb3zht7192pgN/gjV8Xls76J4TtKbipW+YSaDQ1qV43ylo/UEE0j2okj1JP08aWgt7azjz8LMKZPPBg=="}]}}',
    ],
    { jwks: { keys: [key] } },
  );
  assert.ok(verdict.ok, JSON.stringify(verdict));
});

test('any edit of an entry is found, of whatever member', async () => {
  const edits: Partial<AuditEntry>[] = [
    { id: `aud_${'9'.repeat(26)}` },
    { at: '2026-01-01T00:00:03.001Z' },
    { action: 'project.created' },
    { actor: 'key_2' },
    { subject: 'prj_2' },
    { detail: {} },
    { detail: { ...at(trail, 3).detail, number: 1e20 } },
    { hash: 'a'.repeat(64) },
  ];
  for (const edit of edits) {
    const lines = exported(trail.map((entry) => (entry.seq === 3 ? { ...entry, ...edit } : entry)));
    assert.match(await problemOf(lines), /^Entry 3 \(line 3\) was edited/, JSON.stringify(edit));
  }
});

test('any byte of a line that is changed is found', async () => {
  const lines = exported(trail.slice(0, 2));
  const text = lines[0] ?? '';
  for (let index = 0; index < text.length; index += 1) {
    const other = text[index] === 'x' ? 'y' : 'x';
    const changed = [text.slice(0, index) + other + text.slice(index + 1), ...lines.slice(1)];
    assert.notEqual(await problemOf(changed), 'It holds.', `byte ${index}`);
  }
});

test('an entry whose hash was made anew after an edit is found by its signature', async () => {
  const third = { ...at(trail, 3), subject: 'prj_2' };
  const lines = exported(trail.with(2, { ...third, hash: hashOfEntry(third) }));
  assert.match(await problemOf(lines), /^Entry 3 \(line 3\) is not signed by Ebb/);
});

test('a whole chain that somebody without the key wrote is found', async () => {
  const forger = newSigner();
  assert.match(await problemOf(exported(chain(6, () => ({}), forger))), /^Entry 1 .* none of the given keys/);
  // Under the name of the real key.
  const keyid = at(trail, 1).signature.keyid;
  const forged = chain(6, () => ({}), forger).map((entry) => ({
    ...entry,
    signature: { ...entry.signature, keyid },
  }));
  assert.match(await problemOf(exported(forged)), /^Entry 1 \(line 1\) is not signed by Ebb/);
});

test('an audit log with a line removed is refused, wherever the line was', async () => {
  const expected = [
    /^line 1: entry 1 is missing before entry 2\./,
    /^line 2: entry 2 is missing before entry 3\./,
    /^line 3: entry 3 is missing/,
    /^line 4: entry 4 is missing/,
    /^line 5: entry 5 is missing/,
    /^The head at line 6 speaks of entry 6 .* not the last one, entry 5/,
    /^The trail does not end with a signed head/,
  ];
  for (const [index, pattern] of expected.entries())
    assert.match(await problemOf(exported(trail).toSpliced(index, 1)), pattern);
  assert.match(await problemOf(exported(trail).toSpliced(1, 3)), /entries 2 to 4 are missing before entry 5/);
});

test('an entry that was inserted, repeated or moved is found', async () => {
  const lines = exported(trail);
  const line = (seq: number) => lines[seq - 1] ?? '';
  assert.match(
    await problemOf(lines.toSpliced(3, 0, line(3))),
    /^Entry 3 \(line 4\) comes where entry 4 belongs/,
  );
  assert.match(await problemOf(lines.with(2, line(4)).with(3, line(3))), /^line 3: entry 3 is missing/);
  const inserted = canonicalJson(entryAfter(at(trail, 3), {}, newSigner()));
  assert.match(
    await problemOf(lines.toSpliced(3, 0, inserted)),
    /^Entry 4 \(line 4\) is signed with the key/,
  );
  assert.match(await problemOf([...lines, line(6)]), /^line 8 comes after the head/);
});

test('a second entry in the place of one, which Ebb signed as well, is found by the next', async () => {
  const fork = entryAfter(at(trail, 3), { subject: 'prj_2' });
  assert.match(
    await problemOf(exported(trail.with(3, fork))),
    /^Entry 5 \(line 5\) does not follow the entry before it/,
  );
});

test('entries that are exchanged with those of another team are found', async () => {
  const others = chain(6, () => ({ team: otherTeam }));
  assert.equal(await problemOf(exported(others)), 'It holds.');
  assert.match(
    await problemOf(exported(trail.with(2, at(others, 3)))),
    new RegExp(`^Entry 3 .* is of the team ${otherTeam}, the entries before it are of ${team}`),
  );
  const moved = trail.with(2, { ...at(others, 3), team });
  assert.match(await problemOf(exported(moved)), /^Entry 3 \(line 3\) was edited/);
  assert.match(
    await problemOf(exported(trail, others.at(-1))),
    /^The head at line 7 speaks of entry 6 of the team/,
  );
  assert.match(
    await problemOf(exported(trail), [signedHeadOfEntry(at(others, 3))]),
    /^The kept head is of the team/,
  );
});

test('a chain that does not begin at its beginning is refused', async () => {
  const entry = entryAfter(undefined, { previous: 'a'.repeat(64) });
  assert.match(await problemOf(exported([entry])), /^Entry 1 \(line 1\) is not the start of a chain/);
});

test('a clock that jumped back without being told of is found', async () => {
  const entries = [...trail, entryAfter(trail.at(-1), { at: '2025-01-01T00:00:00.000Z' })];
  assert.match(await problemOf(exported(entries)), /^Entry 7 .* is older than the entry before it/);
});

test('a tail that was cut off, or an old copy that was put back or continued, is found by a head that was kept', async () => {
  const kept = signedHeadOfEntry(at(trail, 5));
  const old = trail.slice(0, 3);
  assert.equal(await problemOf(exported(old)), 'It holds.');
  assert.match(
    await problemOf(exported(old), [kept]),
    /^The kept head speaks of entry 5, but the trail ends with entry 3: its end was cut off/,
  );
  const continued = [...old];
  for (let seq = 4; seq <= 8; seq++) continued.push(entryAfter(continued.at(-1), { subject: 'prj_2' }));
  assert.equal(await problemOf(exported(continued)), 'It holds.');
  assert.match(
    await problemOf(exported(continued), [kept]),
    /^Entry 5 \(line 5\) is not the one that the kept head saw: the trail was rewritten/,
  );
  // The last line of an older export is a head, too.
  assert.equal(await problemOf(exported(trail), [{ audit_head: kept }]), 'It holds.');
});

test('a receipt is a kept head, in its envelope or as the API gives it', async () => {
  const predicate = { audit_head: signedHeadOfEntry(at(trail, 5)) };
  const envelope = signer.signStatement({ predicate } as never);
  for (const receipt of [envelope, { id: 'rcp_1', envelope }]) {
    assert.equal(await problemOf(exported(trail), [receipt]), 'It holds.');
    assert.match(await problemOf(exported(trail.slice(0, 4)), [receipt]), /speaks of entry 5/);
  }
});

test('a kept head that was edited, or is something else that Ebb signed, is refused', async () => {
  const kept = signedHeadOfEntry(at(trail, 5));
  const payload = Buffer.from(canonicalJson({ ...headOfEntry(at(trail, 5)), seq: 4 })).toString('base64');
  assert.match(
    await problemOf(exported(trail), [{ ...kept, payload }]),
    /^Kept head 1 does not hold: It is not signed by Ebb/,
  );
  // As if somebody could have a head signed as a statement.
  const receipt = signer.signStatement({ ...headOfEntry(at(trail, 5)) } as never);
  assert.match(
    await problemOf(exported(trail), [receipt]),
    /^Kept head 1 does not hold: It is no signed head/,
  );
  const disguised = { ...receipt, payloadType: kept.payloadType };
  assert.match(await problemOf(exported(trail), [disguised]), /does not hold: It is not signed by Ebb/);
  const asReceipt = { ...kept, payloadType: 'application/vnd.in-toto+json' };
  assert.ok(!verifyReceipt({ envelope: asReceipt, jwks }).ok);
});

test('a line in another form, or that is none, is refused with its number', async () => {
  const lines = exported(trail);
  const [first = ''] = lines;
  const cases: [string, RegExp][] = [
    [`${first} `, /^line 1 is not in canonical form/],
    [first.replace('{', '{"action":"project.deleted",'), /^line 1 is not in canonical form/],
    [first.slice(0, 40), /^line 1 is not JSON/],
    ['', /^line 1 is not JSON/],
    ['{"envelope": {}}', /^line 1 is a receipt, not an entry of a trail: ebb verify FILE/],
    ['{}', /^line 1 is no audit entry/],
    ['"\\ud800"', /^line 1 is not in canonical form/],
    [canonicalJson({ ...at(trail, 1), more: true }), /^line 1 is no audit entry/],
  ];
  for (const [line, pattern] of cases) assert.match(await problemOf(lines.with(0, line)), pattern);
  assert.match(await problemOf([]), /^The trail does not end with a signed head/);
  assert.match(await problemOf(lines.slice(-1)), /no entry before it/);
  for (const none of [undefined, null, {}, { keys: [{ kid: at(trail, 1).signature.keyid }] }]) {
    const verdict = await verifyAudit(lines, { jwks: none });
    assert.ok(!verdict.ok && /none of the given keys/.test(verdict.problem));
  }
});
