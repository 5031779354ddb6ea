import assert from 'node:assert/strict';
import { test } from 'node:test';
import { publish } from '../../api/signing/published-key.ts';
import type { DsseEnvelope } from '../../contract/receipt.ts';
import {
  type About,
  minute,
  newSigner,
  privateJwk,
  provenance,
  ramdisk,
  revocation,
  statementOf,
  stepNames,
  vm,
} from './receipts-for-tests.ts';
import { describeReceipt, verifyReceipt } from './verify-receipt.ts';

const signer = newSigner();
const jwks = signer.jwks();
const sign = (about: About, by = signer) => by.signStatement(statementOf(about));

function problemOf(envelope: unknown, keys: unknown = jwks): string {
  const verdict = verifyReceipt({ envelope, jwks: keys });
  return verdict.ok ? '' : verdict.problem;
}

test('receipts that were signed as they should be hold, and every check is told', () => {
  const names = [sign({ revocation }), sign({ provenance }), sign({ ramdisk })].map((envelope) => {
    const verdict = verifyReceipt({ envelope, jwks });
    assert.ok(verdict.ok, verdict.ok ? '' : verdict.problem);
    assert.equal(verdict.keyid, envelope.signatures[0]?.keyid);
    return verdict.checks.map(({ name }) => name);
  });
  const always = ['envelope', 'key', 'signature', 'statement', 'period'];
  assert.deepEqual(names, [
    [...always, 'subject', 'revocation', 'vms'],
    [...always, 'source', 'invocation', 'vm', 'times'],
    [...always, 'used-once', 'inside', 'measured-boot', 'outside', 'life', 'gone'],
  ]);
});

test('changing any byte of payload, signature, type or key id breaks a receipt', () => {
  const text = JSON.stringify(sign({ provenance }));
  for (let position = 0; position < text.length; position += 1) {
    const changed = `${text.slice(0, position)}${text[position] === 'A' ? 'B' : 'A'}${text.slice(position + 1)}`;
    let parsed: unknown;
    try {
      parsed = JSON.parse(changed);
    } catch {
      continue;
    }
    assert.match(problemOf(parsed), /^(envelope|key|signature): /, `byte ${position}`);
  }
});

test('a receipt of another Ebb does not hold', () => {
  assert.match(problemOf(sign({ revocation }, newSigner())), /^key: .*none of the given keys/);
});

test('a receipt with somebody else’s signature under a known key id does not hold', () => {
  const stranger = sign({ revocation }, newSigner());
  const [own] = sign({ revocation }).signatures;
  const forged: DsseEnvelope = {
    ...stranger,
    signatures: stranger.signatures.map(({ sig }) => ({ sig, keyid: own?.keyid ?? '' })),
  };
  assert.match(problemOf(forged), /^signature: It does not fit/);
});

test('a receipt that the key of access tokens signed does not hold', () => {
  const tokenKey = privateJwk();
  const wrong = newSigner({ receiptKey: tokenKey });
  const keys = { keys: [publish(tokenKey, 'token')] };
  assert.match(problemOf(sign({ ramdisk }, wrong), keys), /^key: The key .* is for tokens, not for receipts/);
});

test('a receipt holds when its key was in use at its time, and not before or after', () => {
  const key = privateJwk();
  const at = (time: string) => Date.parse(time) / 1000;
  const keysOf = (period: { iat?: number; exp?: number }) => ({
    keys: newSigner({ receiptKey: key })
      .jwks()
      .keys.map((one) => ({ ...one, ...period })),
  });
  const envelope = sign({ provenance }, newSigner({ receiptKey: key }));
  assert.equal(problemOf(envelope, keysOf({ iat: at(minute(7)), exp: at(minute(7)) })), '');
  assert.match(problemOf(envelope, keysOf({ iat: at(minute(8)) })), /^period: .*in use since/);
  assert.match(problemOf(envelope, keysOf({ exp: at(minute(6)) })), /^period: .*in use until/);
});

test('what is no envelope at all is answered with a problem', () => {
  for (const envelope of [undefined, null, 7, 'x', {}, { ...sign({ ramdisk }), signatures: [] }]) {
    assert.match(problemOf(envelope), /^envelope: /);
  }
  assert.equal(verifyReceipt({ envelope: sign({ ramdisk }), jwks: undefined }).ok, false);
});

test('a revocation with a missing, repeated or misplaced step does not hold', () => {
  const { steps } = revocation;
  for (const { step } of steps) {
    const rest = steps.filter((other) => other.step !== step);
    assert.match(
      problemOf(sign({ revocation: { ...revocation, steps: rest } })),
      new RegExp(`${step} is missing`),
    );
  }
  const twice = [...steps, ...steps.slice(-1)];
  assert.match(problemOf(sign({ revocation: { ...revocation, steps: twice } })), /twice/);
  const times = steps.map(({ at }) => at);
  const reversed = steps.toReversed().map((step, index) => ({ ...step, at: times[index] ?? '' }));
  assert.match(problemOf(sign({ revocation: { ...revocation, steps: reversed } })), /not in order/);
  const early = { ...revocation, finished_at: minute(3) };
  assert.match(problemOf(sign({ revocation: early })), /times/);
});

test('secrets may be destroyed before the source host answers', () => {
  const { steps } = revocation;
  const moved = [0, 1, 5, 2, 3, 4].map((from, index) => ({
    step: stepNames[from] ?? 'secrets_destroyed',
    at: steps[index]?.at ?? '',
    detail: '',
  }));
  assert.equal(problemOf(sign({ revocation: { ...revocation, steps: moved } })), '');
});

test('the time that a step took must fit its own times', () => {
  const timed = revocation.steps.map((step) => ({
    ...{ ...step, began_at: step.at, took_ms: 0 },
    measured_by: 'recorded_times' as const,
  }));
  assert.equal(problemOf(sign({ revocation: { ...revocation, steps: timed } })), '');
  const longer = timed.map((step) => ({ ...step, took_ms: 1 }));
  assert.match(problemOf(sign({ revocation: { ...revocation, steps: longer } })), /by its own times/);
  const later = timed.map((step) => ({ ...step, began_at: minute(50) }));
  assert.match(problemOf(sign({ revocation: { ...revocation, steps: later } })), /ended before it began/);
  const half = revocation.steps.map((step) => ({ ...step, took_ms: 1 }));
  assert.match(problemOf(sign({ revocation: { ...revocation, steps: half } })), /not complete/);
});

test('a revocation under which a build still ran does not hold', () => {
  const [ended] = revocation.builds_ended;
  assert.ok(ended);
  const alive = { ...revocation, builds_ended: [{ ...ended, finished_at: null }] };
  assert.match(problemOf(sign({ revocation: alive })), /bld_1 was not over/);
});

test('a revocation tells of each VM that nobody saw end, also of attempts that were lost', () => {
  const [ended] = revocation.builds_ended;
  assert.ok(ended);
  const vmsOf = (build: Partial<typeof ended>) => {
    const changed = { ...revocation, builds_ended: [{ ...ended, ...build }] };
    const verdict = verifyReceipt({ envelope: sign({ revocation: changed }), jwks });
    assert.ok(verdict.ok);
    const lines = describeReceipt(verdict.statement);
    return { check: verdict.checks.find(({ name }) => name === 'vms')?.detail, lines };
  };
  assert.equal(vmsOf({}).check, 'each of the 1 that its builds had was seen to end');
  assert.match(vmsOf({ vm_gone_at: null }).check ?? '', /^NOT CONFIRMED: nobody saw vm-1 end/);
  const lost = vmsOf({ vm: null, vm_gone_at: null, earlier_vms: [{ vm: 'vm-0', vm_gone_at: null }] });
  assert.match(lost.check ?? '', /^NOT CONFIRMED: nobody saw vm-0 end/);
  assert.match(
    lost.lines.at(-1) ?? '',
    /bld_1: cancelled, VM vm-0 left to end itself, not seen to end, no VM/,
  );
});

test('a provenance that names two commits, two builds or times out of order does not hold', () => {
  const { buildDefinition, runDetails } = provenance;
  const given = { ...buildDefinition.externalParameters, commit: 'b'.repeat(40) };
  const other = { ...provenance, buildDefinition: { ...buildDefinition, externalParameters: given } };
  assert.match(problemOf(sign({ provenance: other })), /^source: .*do not name the same commit/);
  const withMetadata = (change: object) => ({
    ...provenance,
    runDetails: { ...runDetails, metadata: { ...runDetails.metadata, ...change } },
  });
  const another = withMetadata({ invocationId: 'bld_2/1' });
  assert.match(problemOf(sign({ provenance: another })), /^invocation: /);
  assert.match(problemOf(sign({ provenance: withMetadata({ startedOn: minute(6) }) })), /^times: /);
});

test('a parameter that nobody knows is refused', () => {
  const { buildDefinition } = provenance;
  const externalParameters = { ...buildDefinition.externalParameters, sudo: true };
  const more = { ...provenance, buildDefinition: { ...buildDefinition, externalParameters } };
  assert.match(problemOf(sign({ provenance: more })), /^statement: /);
});

const badVms: [name: string, change: Partial<typeof vm>, problem: RegExp][] = [
  ['is not known to be gone', { destroyed_at: null }, /^gone: .*not known to be gone/],
  ['showed no proof', { inside: null }, /^inside: The VM did not show/],
  ['showed a disk', { inside: { ...(vm.inside as object), block_devices: ['sda'] } }, /^inside: .*sda/],
  ['nobody saw from outside', { report: null }, /^outside: .*nothing that can be judged/],
  ['went before it came', { destroyed_at: minute(1) }, /^life: .*not in order/],
  ['was used for another attempt', { used_for: [{ build: 'bld_1', attempt: 2 }] }, /^used-once: /],
  ['was used twice', { used_for: [...vm.used_for, { build: 'bld_2', attempt: 1 }] }, /^used-once: /],
];
for (const [name, change, problem] of badVms) {
  test(`the receipt of a VM that ${name} does not hold`, () => {
    assert.match(problemOf(sign({ ramdisk: { ...ramdisk, vm: { ...vm, ...change } } })), problem);
  });
}

test('a VM that went on from a template is said to, and must have been seen to', () => {
  const { report } = vm;
  assert.ok(report);
  const seen = report.outside as { arguments: string[] };
  const restored = { ...seen, arguments: [...seen.arguments, '-incoming', 'fd:4'] };
  const template = { made_at: report.launched_at, sha256: 'c'.repeat(64) };
  const told = (change: object) =>
    sign({ ramdisk: { ...ramdisk, vm: { ...vm, report: { ...report, ...change } } } });
  const verdict = verifyReceipt({ envelope: told({ template, outside: restored }), jwks });
  assert.ok(verdict.ok, verdict.ok ? '' : verdict.problem);
  assert.match(verdict.checks.find(({ name }) => name === 'template')?.detail ?? '', /had no key yet/);
  assert.match(problemOf(told({ outside: restored })), /^template: .*nothing tells what it went on from/);
  assert.match(problemOf(told({ template })), /^template: .*seen to boot/);
  const later = { ...template, made_at: minute(1) };
  assert.match(problemOf(told({ template: later, outside: restored })), /^template: .*before there was/);
});

test('a statement without a VM proves nothing, and says so', () => {
  const verdict = verifyReceipt({ envelope: sign({ ramdisk: { ...ramdisk, vm: null } }), jwks });
  assert.ok(verdict.ok);
  assert.match(verdict.checks.find(({ name }) => name === 'vm')?.detail ?? '', /proves nothing/);
});

test('a provenance of commands that ran names a VM; a build that ended before it had one need not', () => {
  const ended = (change: object) => {
    const { runDetails } = provenance;
    const { ebb_build } = runDetails.metadata;
    const metadata = { ...runDetails.metadata, ebb_build: { ...ebb_build, ...change } };
    return problemOf(sign({ provenance: { ...provenance, runDetails: { ...runDetails, metadata } } }));
  };
  const silent = { vm: null, failedCommand: null, exitCode: null };
  for (const state of ['passed', 'failed'] as const)
    assert.match(ended({ ...silent, state }), new RegExp(`^vm: .*ran \\(${state}\\), and names no VM`));
  assert.match(ended({ ...silent, state: 'errored', failedCommand: 'npm test' }), /^vm: /);
  for (const state of ['errored', 'cancelled', 'timed_out']) assert.equal(ended({ ...silent, state }), '');
});

test('a receipt is a witness of the audit trail by a head that is signed, of its team and not younger', () => {
  const of = { team: 'team_1', seq: 12, hash: 'a'.repeat(64), at: minute(8) };
  const team = { id: `team_${'1'.repeat(26)}`, name: 'acme' };
  const witness = (head: object, by = signer) =>
    sign({
      revocation: {
        ...{ ...revocation, team },
        audit_head: by.signAuditHead({ ...of, team: team.id, ...head }),
      },
    });
  const verdict = verifyReceipt({ envelope: witness({}), jwks });
  assert.match(verdict.checks.at(-1)?.detail ?? '', /had 12 entries then/);
  assert.match(problemOf(witness({}, newSigner())), /^witness: .*none of the given keys/);
  assert.match(problemOf(witness({ team: `team_${'2'.repeat(26)}` })), /^witness: .*another team/);
  assert.match(problemOf(witness({ at: minute(20) })), /^witness: .*younger than the receipt/);
});

test('a receipt is told in lines that name team, project, steps, commands and VM', () => {
  const told = [sign({ revocation }), sign({ provenance }), sign({ ramdisk })].map((envelope) => {
    const verdict = verifyReceipt({ envelope, jwks });
    assert.ok(verdict.ok);
    return describeReceipt(verdict.statement);
  });
  assert.equal(told[0]?.[0], 'Revocation of the project acme/shop (prj_1)');
  assert.ok(told[0]?.includes(`${minute(2)}  hook removed: Done.`));
  assert.ok(told[0]?.includes(`build bld_1: cancelled, VM vm-1 gone ${minute(1)}`));
  assert.equal(told[1]?.[0], 'Build 7 of acme/shop (bld_1): failed: npm test exited with 3');
  assert.ok(told[1]?.includes('setup: npm ci'));
  assert.ok(
    told[2]?.includes(`VM vm-7 on qemu: launched ${minute(0)}, ready ${minute(2)}, gone ${minute(6)}`),
  );
});
