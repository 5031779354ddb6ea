import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { createSigner } from '../../api/signing/create-signer.ts';
import { buildPredicateType, type DsseEnvelope, revocationPredicateType } from '../../contract/receipt.ts';
import {
  type BuildPredicate,
  type RevocationPredicate,
  statementType,
} from '../../contract/receipt-statement.ts';
import { describeReceipt, verifyReceipt } from './verify-receipt.ts';

const privateJwk = () => generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
const newSigner = () =>
  createSigner({ tokenKey: privateJwk(), receiptKey: privateJwk(), issuer: 'http://ebb.test' });
const signer = newSigner();
const jwks = signer.jwks();

const minute = (count: number) => new Date(Date.UTC(2026, 10, 23, 12, count)).toISOString();
const named = { project: { id: 'prj_1', name: 'shop' }, team: { id: 'team_1', name: 'acme' } };
const stepNames = [
  'claims_and_tokens_stopped',
  'builds_cancelled',
  'hook_removed',
  'deploy_key_removed',
  'absence_confirmed',
  'secrets_destroyed',
] as const;
const revocation: RevocationPredicate = {
  ...named,
  requested_at: minute(0),
  finished_at: minute(9),
  steps: stepNames.map((step, index) => ({ step, at: minute(index), detail: 'Done.' })),
  deploy_key_fingerprint: 'SHA256:abc',
  hook_id: 'hook_1',
  builds_ended: [
    { id: 'bld_1', state: 'cancelled', finished_at: minute(1), vm: 'vm-1', vm_gone_at: minute(1) },
  ],
};
const build: BuildPredicate = {
  ...named,
  build: { number: 7, branch: 'main', commit: 'a'.repeat(40) },
  state: 'timed_out',
  attempt: 1,
  vm: 'vm-7',
  ramdisk_proof: { mounts: [] },
  queued_at: minute(0),
  started_at: minute(1),
  vm_ready_at: minute(2),
  checkout_done_at: minute(3),
  first_step_at: minute(4),
  finished_at: minute(5),
  vm_gone_at: minute(6),
};

function sign(about: { revocation: RevocationPredicate } | { build: BuildPredicate }, by = signer) {
  const isBuild = 'build' in about;
  const name = isBuild ? 'bld_1' : 'prj_1';
  return by.signStatement({
    _type: statementType,
    subject: [{ name, digest: { sha256: createHash('sha256').update(name).digest('hex') } }],
    predicateType: isBuild ? buildPredicateType : revocationPredicateType,
    predicate: isBuild ? about.build : about.revocation,
  });
}

function problemOf(envelope: unknown): string {
  const verdict = verifyReceipt({ envelope, jwks });
  return verdict.ok ? '' : verdict.problem;
}

test('receipts that were signed as they should be hold', () => {
  for (const envelope of [sign({ revocation }), sign({ build })]) {
    const verdict = verifyReceipt({ envelope, jwks });
    assert.ok(verdict.ok);
    assert.equal(verdict.keyid, envelope.signatures[0]?.keyid);
  }
});

test('changing any byte of payload, signature, type or key id breaks a receipt', () => {
  const envelope = sign({ revocation });
  const text = JSON.stringify(envelope);
  for (let position = 0; position < text.length; position += 1) {
    const changed = `${text.slice(0, position)}${text[position] === 'A' ? 'B' : 'A'}${text.slice(position + 1)}`;
    let parsed: unknown;
    try {
      parsed = JSON.parse(changed);
    } catch {
      continue;
    }
    assert.notEqual(problemOf(parsed), '', `byte ${position}: ${changed.slice(position - 5, position + 5)}`);
  }
});

test('a receipt of another Ebb does not hold', () => {
  assert.match(problemOf(sign({ revocation }, newSigner())), /none of the given keys/);
});

test('a receipt with somebody else’s signature under a known key id does not hold', () => {
  const stranger = sign({ revocation }, newSigner());
  const [own] = sign({ revocation }).signatures;
  const forged: DsseEnvelope = {
    ...stranger,
    signatures: stranger.signatures.map(({ sig }) => ({ sig, keyid: own?.keyid ?? '' })),
  };
  assert.match(problemOf(forged), /does not fit/);
});

test('what is no envelope at all is answered with a problem', () => {
  for (const envelope of [undefined, null, 7, 'x', {}, { ...sign({ build }), signatures: [] }]) {
    assert.notEqual(problemOf(envelope), '');
  }
  assert.equal(verifyReceipt({ envelope: sign({ build }), jwks: undefined }).ok, false);
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

test('a build whose VM is not known to be gone, or showed no proof, does not hold', () => {
  assert.match(problemOf(sign({ build: { ...build, vm_gone_at: null } })), /not known to be gone/);
  assert.match(problemOf(sign({ build: { ...build, ramdisk_proof: null } })), /proof/);
  assert.match(problemOf(sign({ build: { ...build, vm_gone_at: minute(2) } })), /not in order/);
  const neverStarted = {
    ...build,
    vm: null,
    vm_gone_at: null,
    vm_ready_at: null,
    checkout_done_at: null,
    first_step_at: null,
    started_at: null,
    ramdisk_proof: null,
  };
  assert.equal(problemOf(sign({ build: neverStarted })), '');
});

test('a receipt is told in lines that name team, project, steps and VM', () => {
  const told = [sign({ revocation }), sign({ build })].map((envelope) => {
    const verdict = verifyReceipt({ envelope, jwks });
    assert.ok(verdict.ok);
    return describeReceipt(verdict.statement);
  });
  assert.equal(told[0]?.[0], 'Revocation of the project acme/shop (prj_1)');
  assert.ok(told[0]?.includes(`${minute(2)}  hook removed: Done.`));
  assert.ok(told[0]?.includes(`build bld_1: cancelled, VM vm-1 gone ${minute(1)}`));
  assert.equal(told[1]?.[0], 'Build 7 of acme/shop (bld_1): timed out');
  assert.ok(told[1]?.includes(`VM vm-7: ready ${minute(2)}, gone ${minute(6)}`));
});
