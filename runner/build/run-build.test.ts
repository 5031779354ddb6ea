import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import pino from 'pino';
import { CustodyError } from '../../contract/custody/custody-error.ts';
import type { CustodyEvent } from '../../contract/custody-event.ts';
import type { BuildSpecification } from '../../contract/runner.ts';
import { version } from '../../contract/version.ts';
import type { BuildQueue } from '../../queue/build-queue.ts';
import { makeKeyEncryptionKeyForTests } from '../custody/key-encryption-key-for-tests.ts';
import type { Keyring } from '../custody/keyring.ts';
import {
  type Command,
  createDriverForTests,
  type DriverForTests,
  imageForTests,
  seenWithoutDisk,
} from '../vm/driver-for-tests.ts';
import { createVmPool, type VmPool } from '../vm/pool.ts';
import { TpmError } from '../vm/tpm/commands.ts';
import { BuildEnd } from './build-end.ts';
import { type BuildReports, type ControlPlane, ControlPlaneError } from './control-plane.ts';
import { runBuild } from './run-build.ts';
import { cleanProof, specificationForTests } from './specification-for-tests.ts';

const printing =
  (...texts: string[]): Command =>
  async ({ print }) => {
    for (const text of texts) print(text);
    return 0;
  };

describe('a build', () => {
  const key = makeKeyEncryptionKeyForTests();
  let driver: DriverForTests;
  let pool: VmPool;
  let told: {
    milestones: string[];
    phases: string[];
    custody: CustodyEvent[];
    log: string;
    ends: { outcome: string; reason?: string }[];
  };
  let specification: BuildSpecification;
  let seal: (plaintext: Buffer, purpose: 'deploy-key' | `secret:${string}`) => Promise<string>;

  beforeEach(async () => {
    driver = createDriverForTests();
    pool = createVmPool({
      driver,
      min: 0,
      max: 0,
      memoryMib: 1024,
      cpus: 1,
      maxAgeMs: 60_000,
      patienceMs: 0,
    });
    told = { milestones: [], phases: [], custody: [], log: '', ends: [] };
    program('ramdisk-proof', printing(JSON.stringify(cleanProof)));
    program('checkout', async () => 0);
    program('handover', async () => 0);
    program('end-processes', printing('0'));
    program('step', async ({ stdin, print }) => {
      print(`did ${(await stdin).split('\0').at(-2)}\n`);
      return 0;
    });
    ({ specification, seal } = await specificationForTests(key.key));
  });
  afterEach(async () => {
    await pool.close();
    await driver.close();
  });

  const program = (name: string, run: Command) => driver.commands.set(`/usr/lib/ebb/${name}`, run);
  /** Runs the build and gives how it ended; its VM must be gone by then, whatever happened. */
  async function run(
    options: {
      signal?: AbortSignal;
      reports?: Partial<BuildReports>;
      patienceMs?: number;
      keyring?: Keyring;
    } = {},
  ) {
    const reports: BuildReports = {
      heartbeat: async () => 'held',
      milestone: async ({ milestone }) => void told.milestones.push(milestone),
      waiting: async () => {},
      phase: async (phase) => void told.phases.push(phase),
      custody: async ({ event }) => void told.custody.push(event),
      appendLog: async (_, data) => {
        told.log += data.toString();
      },
      finish: async (outcome) => void told.ends.push(outcome),
      ...options.reports,
    };
    const context = {
      ...{
        name: 'runner-1',
        queue: {} as BuildQueue,
        controlPlane: {} as ControlPlane,
        pool,
        driver,
        slots: 1,
      },
      keyring: options.keyring ?? key.keyring,
      log: pino({ level: 'silent' }),
      handOver: new AbortController().signal,
      signal: new AbortController().signal,
    };
    const { patienceMs = 10_000, signal = new AbortController().signal } = options;
    await runBuild(context, specification, reports, signal, {
      vmMs: patienceMs,
      apiMs: 10_000,
      pausesMs: [1, 2],
    });
    assert.equal(driver.alive.size, 0, 'the VM is gone');
    assert.equal(told.ends.length, 1);
    return told.ends[0] ?? assert.fail();
  }

  test('boots, proves, checks out and runs its steps in order on one VM', async () => {
    assert.deepEqual(await run(), { outcome: 'passed' });
    assert.equal(driver.launched.length, 1);
    assert.deepEqual(told.milestones, ['vm_ready', 'checkout_done', 'first_step', 'vm_gone']);
    assert.deepEqual(told.phases, ['checkout', 'setup', 'test', 'deploy']);
    const done = [...told.log.matchAll(/^did (.*)$/gm)].map(([, command]) => command);
    assert.deepEqual(done, ['npm ci', 'npm test', 'npm run lint', './deploy']);
  });

  test('gives a secret to the phases that it is for and to no other', async () => {
    const seen: Record<string, boolean> = {};
    program('step', async ({ stdin }) => {
      const input = await stdin;
      seen[/EBB_PHASE=(\w+)/.exec(input)?.[1] ?? ''] = input.includes('TOKEN=hush-hush');
      assert.match(input, /STAGE=test/);
      return 0;
    });
    await run();
    assert.deepEqual(seen, { setup: false, test: false, deploy: true });
  });

  test('opens nothing before the audit has it, and tells there what became of it', async () => {
    specification.secrets.push(
      { name: 'OTHER', phases: ['setup', 'deploy'], value: await seal(Buffer.from('more'), 'secret:OTHER') },
      { name: 'UNUSED', phases: [], value: 'cannot be opened' },
    );
    assert.deepEqual(await run(), { outcome: 'passed' });
    assert.deepEqual(told.custody, [
      { action: 'deploy_key.opened' },
      { action: 'deploy_key.closed', signs: 0, refusals: 0 },
      { action: 'secrets.opened', phase: 'setup', count: 1, names: ['OTHER'] },
      { action: 'secrets.opened', phase: 'deploy', count: 2, names: ['TOKEN', 'OTHER'] },
    ]);
  });

  test('masks a secret that a command prints', async () => {
    program('step', printing('the token is hush-', 'hush, really\n'));
    await run();
    assert.match(told.log, /the token is \*\*\*, really/);
    assert.ok(!told.log.includes('hush-hush'));
  });

  test('ends with the command that fails and runs none after it', async () => {
    program('step', async ({ stdin }) => ((await stdin).includes('npm test') ? 3 : 0));
    assert.deepEqual(await run(), {
      outcome: 'failed',
      reason: 'A command failed with exit code 3.',
      failed_command: 'npm test',
      exit_code: 3,
    });
    assert.deepEqual(told.phases, ['checkout', 'setup', 'test']);
    assert.match(told.log, /ebb: failed: A command failed with exit code 3. \(npm test\)/);
  });

  test('never reaches the checkout on a VM that has a disk', async () => {
    let checkouts = 0;
    program('checkout', async () => {
      checkouts += 1;
      return 0;
    });
    program('ramdisk-proof', printing(JSON.stringify({ ...cleanProof, block_devices: ['sda'] })));
    const { outcome, reason } = await run();
    assert.equal(outcome, 'errored');
    assert.match(reason ?? '', /did not pass the ramdisk check: there is a block device sda/);
    assert.deepEqual([checkouts, told.phases], [0, []]);
  });

  test('tells with its proof whether its VM booted measured, and what its TPM signed', async () => {
    const shown: unknown[] = [];
    const milestone: BuildReports['milestone'] = async ({ proof }) => {
      if (proof) shown.push((proof as { measured_boot: unknown }).measured_boot);
    };
    await run({ reports: { milestone } });
    assert.match(told.log, /measured boot is off/);
    told.ends = [];
    driver.attest = async () => ({ ok: true, pcrs: { '4': 'ab' } });
    await run({ reports: { milestone } });
    assert.deepEqual(shown, ['off', { verdict: 'as_expected', pcrs: { '4': 'ab' } }]);
  });

  test('never reaches the checkout on a VM that booted something else', async () => {
    let checkouts = 0;
    program('checkout', async () => {
      checkouts += 1;
      return 0;
    });
    driver.attest = async () => ({ ok: false, violations: ['the kernel is not that of the image'] });
    const { outcome, reason } = await run();
    assert.equal(outcome, 'errored');
    assert.match(reason ?? '', /did not pass the measured boot check: the kernel is not that of the image/);
    assert.deepEqual([checkouts, told.phases, told.milestones], [0, [], ['vm_gone']]);
  });

  test('is tried again when the TPM of its VM does not answer', async () => {
    driver.attest = async () => {
      throw new TpmError('The VM’s TPM does not answer.');
    };
    const { outcome, reason } = await run();
    assert.equal(outcome, 'lost');
    assert.match(reason ?? '', /could not prove what it booted: The VM’s TPM does not answer/);
    assert.deepEqual(told.phases, []);
  });

  test('never opens its deploy key for a VM that shows no disk but is seen with one from outside', async () => {
    let checkouts = 0;
    program('checkout', async () => {
      checkouts += 1;
      return 0;
    });
    driver.outside = { ...seenWithoutDisk, open_files: ['/srv/disk.img'] };
    // A key that cannot be opened: the build would end with that, had it come so far.
    specification.deploy_key.private_key = specification.secrets[0]?.value ?? '';
    const { outcome, reason } = await run();
    assert.equal(outcome, 'errored');
    assert.match(reason ?? '', /did not pass the ramdisk check: it has \/srv\/disk\.img open/);
    assert.deepEqual([checkouts, told.phases, told.milestones], [0, [], ['vm_gone']]);
  });

  test('tells what was seen of its VM from inside and outside, what it booted and how it ended', async () => {
    const reports: Record<string, unknown>[] = [];
    await run({ reports: { milestone: async (report) => void reports.push(report) } });
    const [ready = {}] = reports;
    assert.deepEqual(ready.proof, { ...cleanProof, measured_boot: 'off' });
    const { launched_at, ...report } = ready.report as { launched_at: string };
    assert.ok(launched_at <= String(ready.at));
    assert.deepEqual(report, {
      ...{ driver: 'tests', image: imageForTests, outside: seenWithoutDisk },
      runner: { name: 'runner-1', version },
    });
    assert.deepEqual(reports.at(-1)?.exit, { code: null, signal: 'SIGKILL' });
  });

  test('is tried again when the VM cannot show anything or shows nonsense', async () => {
    program('ramdisk-proof', async () => 1);
    assert.equal((await run()).outcome, 'lost');
  });

  test('tells for each way in which a checkout fails what to do', async () => {
    const cases = [
      [10, /git\.example\.com:22 could not be reached.*Check that it is up/],
      [11, /another host key than the one pinned/],
      [12, /refused the deploy key.*terraform apply/],
      [13, /\/shop\.git was not found.*Check the project's repository/],
      [14, /Commit cccccccccccc of refs\/heads\/main is not in/],
      [16, /git\.example\.com:22 broke the connection off while the source was fetched.*Check that it is up/],
      [99, /The checkout failed: git said no\.$/],
    ] as const;
    for (const [code, sentence] of cases) {
      told.ends = [];
      program('checkout', async ({ print }) => {
        print(
          'git said no\n\nPlease make sure you have the correct access rights\nand the repository exists.\n',
        );
        return code;
      });
      const { outcome, reason } = await run();
      assert.equal(outcome, 'errored');
      assert.match(reason ?? '', sentence);
    }
  });

  test('tries a source host that is away again, and lends the key anew for each try', async () => {
    let tries = 0;
    program('checkout', async () => {
      tries += 1;
      return [10, 16][tries - 1] ?? 0;
    });
    assert.equal((await run()).outcome, 'passed');
    assert.equal(tries, 3);
    assert.match(told.log, /the source host could not be reached; trying again/);
    assert.match(told.log, /the source host broke the connection off; trying again/);
    const key = told.custody.map(({ action }) => action).filter((action) => action.startsWith('deploy_key'));
    assert.deepEqual(key, Array(3).fill(['deploy_key.opened', 'deploy_key.closed']).flat());
  });

  test('does not wait for a source host that is away when it is cancelled', async () => {
    const cancel = new AbortController();
    program('checkout', async () => {
      cancel.abort(new BuildEnd({ outcome: 'cancelled' }));
      return 10;
    });
    assert.equal((await run({ signal: cancel.signal })).outcome, 'cancelled');
  });

  test('checks out on a connection of its own as a user of its own', async () => {
    const users: string[] = [];
    for (const name of ['checkout', 'handover', 'step']) {
      const before = driver.commands.get(`/usr/lib/ebb/${name}`) ?? assert.fail();
      program(name, (given) => {
        users.push(`${name} as ${given.username}`);
        return before(given);
      });
    }
    await run();
    assert.deepEqual([...new Set(users)], ['checkout as checkout', 'handover as root', 'step as root']);
  });

  test('does not start when its key was sealed for another runner', async () => {
    specification.deploy_key.private_key = specification.secrets[0]?.value ?? '';
    const { outcome, reason } = await run();
    assert.equal(outcome, 'errored');
    assert.match(reason ?? '', /sealed for another project or purpose.*Was the project revoked/);
  });

  for (const action of ['deploy_key.opened', 'secrets.opened']) {
    test(`leaves sealed what the audit does not take: ${action}`, async () => {
      const reached: string[] = [];
      for (const name of ['checkout', 'step']) {
        program(name, async () => {
          reached.push(name);
          return 0;
        });
      }
      // Opening it would end the build errored, with what cannot be opened.
      if (action === 'deploy_key.opened') specification.deploy_key.private_key = 'not a seal';
      for (const secret of specification.secrets) secret.value = 'not a seal';
      const { outcome, reason } = await run({
        reports: {
          custody: async ({ event }) => {
            if (event.action === action) throw new Error('The audit is closed.');
          },
        },
      });
      assert.equal(outcome, 'lost');
      assert.match(reason ?? '', /The audit is closed/);
      assert.deepEqual(reached, action === 'deploy_key.opened' ? [] : ['checkout']);
    });
  }

  test('tells the audit that a key was closed when the checkout failed', async () => {
    program('checkout', async () => 12);
    await run();
    assert.deepEqual(
      told.custody.map(({ action }) => action),
      ['deploy_key.opened', 'deploy_key.closed'],
    );
  });

  test('is tried again when the key service is away or another runner has the key, and not when it is refused', async () => {
    for (const [code, expected] of [
      ['unavailable', 'lost'],
      ['wrong_key', 'lost'],
      ['not_allowed', 'errored'],
    ] as const) {
      told.ends = [];
      const unwrap = async () => {
        throw new CustodyError(code, 'AWS KMS did not unwrap the key of prj_1.');
      };
      const { outcome, reason } = await run({ keyring: { ...key.keyring, unwrap } });
      assert.equal(outcome, expected);
      assert.match(reason ?? '', /^AWS KMS did not unwrap the key of prj_1\./);
    }
    assert.equal(driver.launched.length, 0, 'no VM is booted for it');
  });

  test('is lost, and no more, when its VM dies in the middle of a step', async () => {
    program('step', ({ cut }) => {
      cut();
      return new Promise<number>(() => {});
    });
    const { outcome, reason } = await run();
    assert.equal(outcome, 'lost');
    assert.match(reason ?? '', /The VM was lost/);
  });

  test('is stopped at its time limit', async () => {
    specification.timeout_seconds = 0.3;
    program('step', () => new Promise<number>(() => {}));
    const { outcome, reason } = await run();
    assert.equal(outcome, 'timed_out');
    assert.match(reason ?? '', /raise timeout_minutes/);
  });

  test('is stopped when it is cancelled', async () => {
    const stop = new AbortController();
    program('step', () => {
      stop.abort(new BuildEnd({ outcome: 'cancelled', reason: 'The build was cancelled.' }));
      return new Promise<number>(() => {});
    });
    assert.deepEqual(await run({ signal: stop.signal }), {
      outcome: 'cancelled',
      reason: 'The build was cancelled.',
    });
  });

  test('is lost when no VM boots, with the reason', async () => {
    driver.failNext = 5;
    const { outcome, reason } = await run();
    assert.equal(outcome, 'lost');
    assert.match(reason ?? '', /No VM could be started: The boot failed/);
    assert.deepEqual(told.milestones, []);
  });

  test('enters the deployment only when the API lets it', async () => {
    const done: string[] = [];
    program('step', async ({ stdin }) => {
      done.push((await stdin).split('\0').at(-2) ?? '');
      return 0;
    });
    const { outcome } = await run({
      reports: {
        phase: async (phase) => {
          if (phase === 'deploy') throw new Error('It was begun before; it is never run twice.');
        },
      },
    });
    assert.equal(outcome, 'lost');
    assert.ok(!done.includes('./deploy'));
  });

  test('leaves its deployment to itself: what earlier commands left running is ended before it', async () => {
    const order: string[] = [];
    program('end-processes', async ({ print }) => {
      order.push('end-processes');
      print('2\n');
      return 0;
    });
    program('step', async ({ stdin }) => {
      order.push((await stdin).split('\0').at(-2) ?? '');
      return 0;
    });
    await run({ reports: { phase: async (phase) => void order.push(phase) } });
    assert.deepEqual(order.slice(-3), ['end-processes', 'deploy', './deploy']);
    assert.match(told.log, /ebb: 2 processes of earlier commands were ended before the deployment/);
  });

  test('does not keep its VM for an API that is away; it tells the rest later', async () => {
    let back = () => {};
    const away = new Promise<void>((resolve) => {
      back = resolve;
    });
    const outage = new AbortController();
    program('step', async () => {
      outage.abort();
      return 0;
    });
    const vmGone = (async () => {
      while (driver.launched.length === 0 || driver.alive.size > 0) await delay(10);
      back();
    })();
    const { outcome } = await run({
      patienceMs: 50,
      reports: {
        appendLog: async (_, data) => {
          if (outage.signal.aborted) await away;
          told.log += data.toString();
        },
      },
    });
    await vmGone;
    assert.equal(outcome, 'passed');
    assert.match(told.log, /ebb: passed\n$/);
    assert.equal(told.milestones.at(-1), 'vm_gone');
  });

  test('tells that its VM is gone also when its attempt was given up and its end is not taken', async () => {
    const refusal = new ControlPlaneError(409, 'already_over', 'This report is too late.');
    const finish = async () => {
      told.ends.push({ outcome: 'refused' });
      throw refusal;
    };
    await assert.rejects(run({ reports: { finish } }), refusal);
    assert.equal(driver.alive.size, 0);
    assert.equal(told.milestones.at(-1), 'vm_gone');
  });

  test('goes on when its log is full, which says so and how it ended', async () => {
    specification.log_limit = 64 * 1024 + 1000;
    program('step', printing(`${'x'.repeat(3000)}\n`));
    assert.equal((await run()).outcome, 'passed');
    assert.match(told.log, /x\nebb: the log is full; .*\nebb: passed\n$/);
    assert.equal(told.log.match(/the log is full/g)?.length, 1);
    assert.ok(told.log.length < specification.log_limit);
  });
});
