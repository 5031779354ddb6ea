import { createHash, generateKeyPairSync } from 'node:crypto';
import { createSigner } from '../../api/signing/create-signer.ts';
import { buildType, type ProvenancePredicate, provenancePredicateType } from '../../contract/provenance.ts';
import { type RamdiskPredicate, ramdiskPredicateType } from '../../contract/ramdisk-predicate.ts';
import { revocationPredicateType } from '../../contract/receipt.ts';
import {
  type ReceiptStatement,
  type RevocationPredicate,
  statementType,
} from '../../contract/receipt-statement.ts';
import { imageForTests, seenWithoutDisk } from '../../runner/vm/driver-for-tests.ts';
import { proofWithoutDisk } from '../../runner/vm/ramdisk-proof-for-tests.ts';

export const privateJwk = () => generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
export const newSigner = (options: Partial<Parameters<typeof createSigner>[0]> = {}) =>
  createSigner({ receiptKey: privateJwk(), ...options });

export const minute = (count: number) => new Date(Date.UTC(2026, 10, 23, 12, count)).toISOString();
const named = { project: { id: 'prj_1', name: 'shop' }, team: { id: 'team_1', name: 'acme' } };
export const log = Buffer.from('ebb: attempt 1: waiting for a fresh VM\nebb: passed\n');

export const stepNames = [
  'claims_and_tokens_stopped',
  'builds_cancelled',
  'hook_removed',
  'deploy_key_removed',
  'absence_confirmed',
  'secrets_destroyed',
] as const;

export const revocation: RevocationPredicate = {
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

const source = {
  name: 'git+ssh://git@git.example.com/shop.git@refs/heads/main',
  digest: { gitCommit: 'a'.repeat(40) },
};

/** As the API signs it for a build of one attempt. */
export const provenance: ProvenancePredicate = {
  buildDefinition: {
    buildType,
    externalParameters: {
      repository: 'ssh://git@git.example.com/shop.git',
      ref: 'refs/heads/main',
      commit: 'a'.repeat(40),
      commands: { setup: ['npm ci'], test: ['npm test'], deploy: [] },
      image: 'base',
      environment: ['STAGE'],
      secrets: [{ name: 'TOKEN', phases: ['deploy'] }],
    },
    internalParameters: { attempt: 1, trigger: 'push', memoryMib: 1024, timeoutSeconds: 3600 },
    resolvedDependencies: [
      { name: 'source', uri: source.name, digest: source.digest },
      ...Object.entries(imageForTests.digests).map(([part, sha256]) => ({
        name: `image/base/${part}`,
        digest: { sha256 },
      })),
    ],
  },
  runDetails: {
    builder: { id: 'https://ebb.example.com', version: { api: '0.1.0', runner: '0.1.0' } },
    metadata: {
      invocationId: 'bld_1/1',
      startedOn: minute(1),
      finishedOn: minute(5),
      ebb_build: {
        ...{ id: 'bld_1', number: 7, ...named, vm: 'vm-7' },
        ...{ state: 'failed', failedCommand: 'npm test', exitCode: 3, signedOn: minute(7) },
      },
    },
    byproducts: [
      {
        name: 'log',
        uri: 'https://ebb.example.com/v1/builds/bld_1/log',
        digest: { sha256: createHash('sha256').update(log).digest('hex') },
        mediaType: 'text/plain; charset=utf-8',
        annotations: { ebb_bytes: log.length },
      },
    ],
  },
};

export const vm: NonNullable<RamdiskPredicate['vm']> = {
  id: 'vm-7',
  report: {
    driver: 'qemu',
    launched_at: minute(0),
    image: imageForTests,
    outside: seenWithoutDisk,
    runner: { name: 'runner-1', version: '0.1.0' },
  },
  inside: proofWithoutDisk,
  ready_at: minute(2),
  destroyed_at: minute(6),
  exit: { code: null, signal: 'SIGKILL' },
  used_for: [{ build: 'bld_1', attempt: 1 }],
};

export const ramdisk: RamdiskPredicate = {
  ...named,
  build: { id: 'bld_1', number: 7, attempt: 1 },
  vm,
  signed_at: minute(7),
};

export type About =
  | { revocation: RevocationPredicate }
  | { provenance: ProvenancePredicate }
  | { ramdisk: RamdiskPredicate };

/** The statement about one of them, with the subject that the API gives it. */
export function statementOf(about: About): ReceiptStatement {
  const _type = statementType;
  if ('provenance' in about) {
    return { _type, subject: [source], predicateType: provenancePredicateType, predicate: about.provenance };
  }
  if ('ramdisk' in about)
    return { _type, subject: [source], predicateType: ramdiskPredicateType, predicate: about.ramdisk };
  const digest = { sha256: createHash('sha256').update('prj_1').digest('hex') };
  const subject = [{ name: 'prj_1', digest }];
  return { _type, subject, predicateType: revocationPredicateType, predicate: about.revocation };
}
