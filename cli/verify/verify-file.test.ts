import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { RamdiskPredicate } from '../../contract/ramdisk-predicate.ts';
import {
  log,
  minute,
  newSigner,
  provenance,
  ramdisk,
  revocation,
  statementOf,
  vm,
} from './receipts-for-tests.ts';
import { verifyFile } from './verify-file.ts';

const signer = newSigner();
const jwks = signer.jwks();
const receipt = (kind: 'provenance' | 'ramdisk', predicate = ramdisk) => ({
  ...{ id: `rcp_${kind}`, kind, project_id: 'prj_1', subject: 'bld_1', created_at: minute(7) },
  envelope: signer.signStatement(statementOf(kind === 'ramdisk' ? { ramdisk: predicate } : { provenance })),
});
const both = [receipt('provenance'), receipt('ramdisk')];
const lines = both.map((one) => JSON.stringify(one)).join('\n');

function failedCheck(text: string, options: { log?: Buffer } = {}): string {
  const { ok, findings } = verifyFile(text, { jwks, ...options });
  const last = findings.at(-1)?.checks.at(-1);
  assert.equal(ok, last?.ok, 'the failed check is the last');
  return ok ? '' : `${last?.name}: ${last?.detail}`;
}

describe('a file', () => {
  const forms = {
    'an envelope': JSON.stringify(both[0]?.envelope),
    'a receipt': JSON.stringify(both[0], null, 2),
    'a list': JSON.stringify(both),
    'a page': JSON.stringify({ items: both, next_cursor: null }),
    'JSON Lines': `${lines}\n\n`,
    'a revocation': JSON.stringify(signer.signStatement(statementOf({ revocation }))),
  };
  for (const [form, text] of Object.entries(forms)) {
    test(`that holds ${form} is read`, () => assert.equal(failedCheck(text), ''));
  }

  test('with the two statements of a build tells that they fit together', () => {
    const { findings } = verifyFile(lines, { jwks });
    assert.deepEqual(
      findings.map(({ title }) => title),
      ['receipt 1: provenance', 'receipt 2: ramdisk', 'bld_1: both statements together'],
    );
    const names = ['same-build', 'same-source', 'same-attempt', 'same-vm', 'same-image', 'same-time'];
    assert.deepEqual(
      findings[2]?.checks.map(({ name }) => name),
      names,
    );
  });

  test('that was cut off anywhere does not hold', () => {
    const text = JSON.stringify(both[0]);
    for (let length = 1; length < text.length; length += 7) {
      assert.match(failedCheck(text.slice(0, length)), /^envelope: .*no whole DSSE envelope/);
    }
    assert.match(failedCheck(lines.slice(0, -5)), /^envelope: /);
  });

  test('whose receipt says something else of itself than was signed does not hold', () => {
    for (const change of [{ kind: 'ramdisk' }, { subject: 'bld_2' }, { project_id: 'prj_2' }]) {
      assert.match(failedCheck(JSON.stringify({ ...both[0], ...change })), /^label: /);
    }
  });

  test('without a receipt holds nothing', () => {
    for (const text of ['', '[]', '{"items":[]}'])
      assert.deepEqual(verifyFile(text, { jwks }), { ok: false, findings: [] });
  });

  test('is compared with the log of its build', () => {
    assert.equal(failedCheck(lines, { log }), '');
    assert.equal(failedCheck(lines, { log: Buffer.concat([log, Buffer.from('said later\n')]) }), '');
    for (const other of [
      log.subarray(1),
      log.subarray(0, -1),
      Buffer.from(log.toString().replace('passed', 'PASSED')),
    ])
      assert.match(failedCheck(lines, { log: other }), /^log: It is not the log/);
    assert.match(failedCheck(JSON.stringify(both[1]), { log }), /^log: /);
  });
});

const { build } = ramdisk;
const report = vm.report as NonNullable<typeof vm.report>;
const strangers: [name: string, change: Partial<RamdiskPredicate>, problem: RegExp][] = [
  [
    'another build',
    { build: { ...build, id: 'bld_2' }, vm: { ...vm, used_for: [{ build: 'bld_2', attempt: 1 }] } },
    /^same-build/,
  ],
  [
    'another attempt',
    { build: { ...build, attempt: 2 }, vm: { ...vm, used_for: [{ build: 'bld_1', attempt: 2 }] } },
    /^same-attempt/,
  ],
  ['another VM', { vm: { ...vm, id: 'vm-8' } }, /^same-vm/],
  [
    'another image',
    { vm: { ...vm, report: { ...report, image: { recipe: 'base', digests: { kernel: 'c'.repeat(64) } } } } },
    /^same-image/,
  ],
  ['another time', { vm: { ...vm, ready_at: minute(20), destroyed_at: minute(21) } }, /^same-time/],
  ['another signature’s time', { signed_at: minute(8) }, /^same-time/],
];
for (const [name, change, problem] of strangers) {
  test(`a statement about the VM of ${name} does not go with a provenance`, () => {
    const stranger = { ...ramdisk, ...change };
    const envelopes = [both[0]?.envelope, receipt('ramdisk', stranger).envelope];
    assert.match(failedCheck(JSON.stringify(envelopes)), problem);
  });
}

describe('ebb verify', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ebb-verify-'));
    await writeFile(join(folder, 'jwks'), JSON.stringify(jwks));
    await writeFile(join(folder, 'good'), lines);
    await writeFile(join(folder, 'bad'), lines.replace(/"sig":"./, '"sig":"?'));
  });
  after(() => rm(folder, { recursive: true }));
  const verify = async (file: string, ...options: string[]) => {
    const ebb = join(import.meta.dirname, '../ebb.ts');
    const given = [ebb, 'verify', join(folder, file), '--jwks', join(folder, 'jwks'), ...options];
    // Without a network address: nothing is asked of anybody.
    return await promisify(execFile)(process.execPath, given, { env: {} }).then(
      ({ stdout }) => ({ code: 0, stdout }),
      (error: { code: number; stdout: string }) => ({ code: error.code, stdout: error.stdout }),
    );
  };

  test('says each check on a line, offline, and exits with 0', async () => {
    const { code, stdout } = await verify('good');
    assert.equal(code, 0);
    assert.match(stdout, /✔ signature +Ed25519, fits every byte/);
    assert.match(stdout, /✔ outside +its process had no disk/);
    assert.match(stdout, /Everything holds\.\n$/);
  });

  test('ends with the check that failed, and exits with 1', async () => {
    const { code, stdout } = await verify('bad');
    assert.equal(code, 1);
    assert.match(stdout, /✖ signature .*\nIt does not hold/);
    assert.doesNotMatch(stdout, /receipt 2/);
  });

  test('tells machines the same as JSON', async () => {
    const { code, stdout } = await verify('bad', '--json');
    const { ok, findings } = JSON.parse(stdout);
    assert.deepEqual([code, ok, findings.length, findings[0].checks.at(-1).name], [1, false, 1, 'signature']);
  });
});
