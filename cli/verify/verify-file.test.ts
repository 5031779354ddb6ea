import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { Byproduct } from '../../contract/provenance.ts';
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

  test('that is of an audit trail is told which command it is for', () => {
    const entry = JSON.stringify({ seq: 1, previous: '0'.repeat(64) });
    assert.match(failedCheck(entry), /^envelope: It is of an audit trail: ebb verify audit FILE/);
  });

  test('that was cut off anywhere does not hold', () => {
    const text = JSON.stringify(both[0]);
    for (let length = 1; length < text.length; length += 7) {
      assert.match(failedCheck(text.slice(0, length)), /^envelope: It is not JSON/);
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
    for (const other of [
      log.subarray(1),
      log.subarray(0, -1),
      Buffer.from(log.toString().replace('passed', 'PASSED')),
    ])
      assert.match(failedCheck(lines, { log: other }), /^log: It is not the log/);
    assert.match(failedCheck(JSON.stringify(both[1]), { log }), /^log: /);
  });

  test('whose log grew tells how much of it was not signed', () => {
    const { ok, findings } = verifyFile(lines, { jwks, log: Buffer.concat([log, Buffer.from('late\n')]) });
    assert.equal(ok, true);
    const detail = `its first ${log.length} bytes are the log that the provenance names; the 5 after them were not signed`;
    assert.deepEqual(findings.at(-1)?.checks, [{ name: 'log', ok: true, detail }]);
  });

  test('that names an empty log takes no other for it', () => {
    const text = JSON.stringify(withLog({ ...empty, annotations: { ebb_bytes: 0 } }));
    assert.equal(failedCheck(text, { log: Buffer.alloc(0) }), '');
    assert.match(failedCheck(text, { log: Buffer.from('forged\n') }), /^log: It is not the log/);
  });

  test('of a build whose log was destroyed before it was signed takes no log at all', () => {
    const at = minute(6);
    const destroyed = withLog({ name: 'log', annotations: { ebb_destroyed_at: at } });
    const { ok, findings } = verifyFile(JSON.stringify(destroyed), { jwks });
    assert.equal(ok, true);
    assert.ok(findings[0]?.says.includes(`log: not signed; its key was destroyed at ${at}`));
    for (const other of [log, Buffer.alloc(0)])
      assert.match(
        failedCheck(JSON.stringify(destroyed), { log: other }),
        /^log: No log was signed.*destroyed/,
      );
  });
});

const empty = { name: 'log', digest: { sha256: createHash('sha256').digest('hex') } };

/** The provenance of a build with another log. */
function withLog(byproduct: Byproduct): unknown {
  const runDetails = { ...provenance.runDetails, byproducts: [byproduct] };
  return signer.signStatement(statementOf({ provenance: { ...provenance, runDetails } }));
}

test('the two statements of a build that ended before it had a VM fit together, and say so', () => {
  const { runDetails, buildDefinition } = provenance;
  const silent = { vm: null, state: 'errored' as const, failedCommand: null, exitCode: null };
  const ebb_build = { ...runDetails.metadata.ebb_build, ...silent };
  const ended = {
    buildDefinition: {
      ...buildDefinition,
      resolvedDependencies: buildDefinition.resolvedDependencies.slice(0, 1),
    },
    runDetails: { ...runDetails, metadata: { ...runDetails.metadata, ebb_build } },
  };
  const statements = [{ provenance: ended }, { ramdisk: { ...ramdisk, vm: null } }];
  const text = JSON.stringify(statements.map((about) => signer.signStatement(statementOf(about))));
  const { ok, findings } = verifyFile(text, { jwks });
  assert.equal(ok, true);
  const found = findings.at(-1)?.checks.find(({ name }) => name === 'same-vm')?.detail;
  assert.equal(found, 'neither names one; the build ended errored before one was reported');
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
    const builds_ended = revocation.builds_ended.map((build) => ({ ...build, vm_gone_at: null }));
    const unseen = statementOf({ revocation: { ...revocation, builds_ended } });
    await writeFile(join(folder, 'unseen'), JSON.stringify(signer.signStatement(unseen)));
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

  test('ends with a word on what nobody saw', async () => {
    const { code, stdout } = await verify('unseen');
    assert.equal(code, 0);
    assert.match(stdout, /✔ vms +NOT CONFIRMED: nobody saw vm-1 end/);
    assert.match(stdout, /Everything holds, but for what is NOT CONFIRMED: nobody saw that\.\n$/);
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
