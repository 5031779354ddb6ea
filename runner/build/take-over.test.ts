import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import pino from 'pino';
import type { BuildSpecification } from '../../contract/runner.ts';
import type { BuildQueue } from '../../queue/build-queue.ts';
import { makeKeyEncryptionKeyForTests } from '../custody/key-encryption-key-for-tests.ts';
import { connect } from '../ssh/connection.ts';
import { type Vm, VmError } from '../vm/driver.ts';
import { type Command, createDriverForTests, type DriverForTests } from '../vm/driver-for-tests.ts';
import { createVmPool, type VmPool } from '../vm/pool.ts';
import { trackVms } from '../vm/vms-in-use.ts';
import { LetGo } from './build-end.ts';
import { type BuildReports, type ControlPlane, ControlPlaneError } from './control-plane.ts';
import { runBuild } from './run-build.ts';
import { cleanProof, specificationForTests } from './specification-for-tests.ts';

const letGo = new LetGo('Another runner took the build over.');

describe('a build that outlives its runner', () => {
  const key = makeKeyEncryptionKeyForTests();
  let driver: DriverForTests;
  let pool: VmPool;
  let vms: ReturnType<typeof trackVms>;
  let specification: BuildSpecification;
  /** What the API has of the build. */
  let kept: {
    log: string;
    cursor?: string;
    handle?: string;
    custody: number;
    phases: string[];
    ends: string[];
  };
  /** Commands in the order they were started. */
  let started: string[];
  let gone: AbortController;

  const program = (name: string, run: Command) => driver.commands.set(`/usr/lib/ebb/${name}`, run);
  const step: Command = async ({ stdin, print }) => {
    const command = (await stdin).split('\0').at(-2) ?? '';
    started.push(command);
    for (let line = 1; line <= 3; line++) {
      print(`${command} ${line} hush-`);
      await delay(5);
      print('hush\n');
    }
    return 0;
  };

  beforeEach(async () => {
    driver = createDriverForTests();
    vms = trackVms(createVmPool({ driver, min: 0, max: 0, memoryMib: 1024, cpus: 1, maxAgeMs: 60_000 }));
    pool = vms.pool;
    program('ramdisk-proof', async ({ print }) => {
      print(JSON.stringify(cleanProof));
      return 0;
    });
    for (const name of ['checkout', 'handover']) program(name, async () => 0);
    program('end-processes', async ({ print }) => {
      print('0');
      return 0;
    });
    program('step', step);
    ({ specification } = await specificationForTests(key.key));
    begin();
  });
  afterEach(async () => {
    gone.abort();
    await pool.close();
    await driver.close();
  });

  function begin() {
    kept = { log: '', custody: 0, phases: [], ends: [] };
    started = [];
    gone = new AbortController();
  }

  /** The API; each call goes through `before`, which may never let it. */
  const reports = (before: () => Promise<void> = async () => {}): BuildReports => ({
    heartbeat: async () => 'held',
    async milestone({ vm_handle }) {
      await before();
      if (vm_handle) kept.handle = vm_handle;
    },
    waiting: async () => {},
    async phase(phase) {
      await before();
      kept.phases.push(phase);
    },
    async custody({ number }) {
      await before();
      kept.custody = Math.max(kept.custody, number);
    },
    async appendLog(offset, data, _, cursor) {
      await before();
      assert.equal(offset, kept.log.length);
      kept.log += data.toString();
      if (cursor) kept.cursor = cursor;
    },
    async finish({ outcome }) {
      await before();
      kept.ends.push(outcome);
    },
  });
  const run = (options: {
    signal?: AbortSignal;
    reports?: BuildReports;
    resume?: boolean;
    onShared?: (place: string) => Promise<void>;
  }) => {
    const context = {
      ...{
        name: 'runner-1',
        queue: {} as BuildQueue,
        controlPlane: {} as ControlPlane,
        pool,
        track: vms.track,
        driver,
        slots: 1,
      },
      ...{ keyring: key.keyring, log: pino({ level: 'silent' }) },
      ...{ handOver: new AbortController().signal, signal: gone.signal },
    };
    const { handle: vm_handle, cursor, custody: custody_events } = kept;
    const resume = vm_handle && {
      ...{ vm_handle, custody_events, seconds_left: 60 },
      ...(cursor && { log_cursor: cursor }),
    };
    const given = {
      ...{ ...specification, log_offset: kept.log.length },
      ...(options.resume && resume && { resume }),
    };
    const onShared = options.onShared ?? (async () => {});
    return runBuild(context, given, options.reports ?? reports(), options.signal ?? gone.signal, {
      onShared,
    });
  };

  test('ends as if it had one runner, wherever in its calls to the API the first one is killed', async () => {
    assert.equal(await run({}), 'over');
    const whole = { log: anyVm(kept.log), started };
    assert.match(whole.log, /npm test 1 \*\*\*\n/);
    assert.deepEqual(whole.started, ['npm ci', 'npm test', 'npm run lint', './deploy']);
    let takenOver = 0;
    for (let died = false, calls = 0; calls === 0 || died; calls++) {
      begin();
      ({ died } = await runAndDieAt(calls));
      if (!died || !kept.handle || kept.ends.length > 0) continue;
      takenOver += 1;
      assert.equal(await run({ resume: true }), 'over');
      assert.equal(anyVm(kept.log), whole.log, `killed at call ${calls}`);
      assert.deepEqual(started, whole.started, `killed at call ${calls}`);
      assert.deepEqual(kept.ends.at(-1), 'passed');
      assert.equal(driver.alive.has(driver.launched.at(-1) ?? ''), false, 'the VM is gone');
    }
    assert.ok(takenOver >= 6, `${takenOver} times`);
  });

  const anyVm = (log: string) => log.replace(/vm_\w+/, 'vm');

  /** Runs until the API is called for the nth time: then nothing more is heard of this runner. */
  async function runAndDieAt(nth: number): Promise<{ died: boolean }> {
    const dead = Promise.withResolvers<void>();
    let calls = 0;
    const first = run({
      reports: reports(async () => {
        calls += 1;
        if (calls <= nth) return;
        dead.resolve();
        await new Promise(() => {});
      }),
    });
    return await Promise.race([
      first.then(() => ({ died: false })),
      dead.promise.then(() => ({ died: true })),
    ]);
  }

  test('is left to another runner in the middle of a command, with its VM and without an end', async () => {
    const stop = new AbortController();
    const places: string[] = [];
    let goOn = () => {};
    const going = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    program('step', async (given) => {
      const command = (await given.stdin).split('\0').at(-2) ?? '';
      started.push(command);
      given.print(`${command} begins\n`);
      if (command === './deploy') {
        stop.abort(letGo);
        await going;
      }
      given.print(`${command} ends\n`);
      return 0;
    });
    const onShared = async (place: string) => void places.push(place);
    assert.equal(await run({ signal: stop.signal, onShared }), 'left');
    assert.deepEqual([places, kept.ends, driver.alive.size], [['tests:here'], [], 1]);
    assert.equal(kept.phases.at(-1), 'deploy');
    assert.equal(vms.inUse.size, 0, 'it is for the next runner to ask about');
    const goneOn = run({ resume: true });
    while (vms.inUse.size === 0) await delay(5);
    assert.deepEqual([...vms.inUse.keys()], driver.launched, 'it may be found to be without a build');
    goOn();
    assert.equal(await goneOn, 'over');
    assert.equal(vms.inUse.size, 0);
    assert.deepEqual(driver.adopted, driver.launched);
    assert.deepEqual(started, ['npm ci', 'npm test', 'npm run lint', './deploy']);
    assert.deepEqual(kept.log.match(/^\.\/deploy .*$/gm), ['./deploy begins', './deploy ends']);
    assert.deepEqual([kept.ends, driver.alive.size], [['passed'], 0]);
  });

  test('shows no half of a secret when its runner is gone between both', async () => {
    const stop = new AbortController();
    const goOn = Promise.withResolvers<void>();
    program('step', async ({ stdin, print }) => {
      if (!(await stdin).includes('./deploy')) return 0;
      print('the token is hush-');
      // Until the log has what is before it.
      while (!kept.log.includes('the token is')) await delay(5);
      stop.abort(letGo);
      await goOn.promise;
      print('hush\n');
      return 0;
    });
    assert.equal(await run({ signal: stop.signal }), 'left');
    assert.match(kept.log, /the token is $/);
    goOn.resolve();
    assert.equal(await run({ resume: true }), 'over');
    assert.match(kept.log, /^the token is \*\*\*$/m);
    assert.doesNotMatch(kept.log, /hush/);
  });

  test('still has in its log what an earlier command left running, before and after', async () => {
    const stop = new AbortController();
    const goneOn = Promise.withResolvers<void>();
    let background = (_: string) => {};
    program('step', async ({ stdin, print, linger }) => {
      const command = (await stdin).split('\0').at(-2) ?? '';
      if (command === 'npm ci') {
        const letGoOfOutput = linger?.() ?? assert.fail();
        background = print;
        void goneOn.promise.then(letGoOfOutput);
      }
      if (command === 'npm test') {
        background('before\n');
        // Until the log has it.
        while (!kept.log.includes('before\n')) await delay(5);
        stop.abort(letGo);
        await delay(50);
        background('between\n');
      }
      if (command === './deploy') {
        background('after\n');
        goneOn.resolve();
      }
      return 0;
    });
    assert.equal(await run({ signal: stop.signal }), 'left');
    assert.match(kept.log, /what it left running goes on/);
    assert.equal(await run({ resume: true }), 'over');
    assert.deepEqual(kept.log.match(/^(before|between|after)$/gm), ['before', 'between', 'after']);
    assert.deepEqual(kept.ends, ['passed']);
  });

  test('is lost with its runner as long as its VM is not shared', async () => {
    const stop = new AbortController();
    program('checkout', async () => {
      stop.abort(letGo);
      return 0;
    });
    assert.equal(await run({ signal: stop.signal }), 'lost');
    assert.deepEqual([kept.ends, driver.alive.size, started], [['lost'], 0, []]);
  });

  test('is lost when its VM is gone, too, or is another one than it was', async () => {
    const stop = new AbortController();
    program('step', async () => {
      stop.abort(letGo);
      return await new Promise<number>(() => {});
    });
    await run({ signal: stop.signal });
    const adopt = driver.adopt;
    driver.adopt = async (handle) => {
      const vm = await adopt?.({ ...handle, hostKey: Buffer.from('another key') });
      return vm ?? assert.fail();
    };
    assert.equal(await run({ resume: true }), 'lost');
    assert.match(
      kept.log,
      /ebb: lost: The runner of this build is gone, and its VM could not be taken over: .*host key/,
    );
    delete kept.cursor;
    await run({ resume: true });
    assert.match(kept.log, /could not be taken over: The VM vm_\w+ is not there any more/);
    assert.deepEqual(kept.ends, ['lost', 'lost']);
  });

  test('is left to the next by a runner that is to let go while it takes it over', async () => {
    const first = new AbortController();
    const goOn = Promise.withResolvers<void>();
    program('step', async ({ stdin }) => {
      started.push((await stdin).split('\0').at(-2) ?? '');
      first.abort(letGo);
      await goOn.promise;
      return 0;
    });
    assert.equal(await run({ signal: first.signal }), 'left');
    const second = new AbortController();
    const adopt = driver.adopt;
    driver.adopt = async (handle) => {
      second.abort(letGo);
      return (await adopt?.(handle)) ?? assert.fail();
    };
    assert.equal(await run({ resume: true, signal: second.signal }), 'left');
    assert.deepEqual([kept.ends, driver.alive.size], [[], 1]);
    if (adopt) driver.adopt = adopt;
    goOn.resolve();
    assert.equal(await run({ resume: true }), 'over');
    assert.deepEqual([kept.ends, started.length], [['passed'], 4]);
  });

  test('goes on with its first runner alone when its VM cannot be shared', async () => {
    const places: string[] = [];
    const launch = driver.launch;
    const share = () => Promise.reject(new VmError('setting', 'EC2 CreateTags: UnauthorizedOperation'));
    driver.launch = async (given) => ({ ...(await launch(given)), share });
    assert.equal(await run({ onShared: async (place) => void places.push(place) }), 'over');
    assert.deepEqual([kept.ends, kept.handle, places], [['passed'], undefined, []]);
  });

  test('keeps its VM when who had it before hears that it was taken over', async () => {
    const refusal = new ControlPlaneError(409, 'taken_over', 'Another runner took this attempt over.');
    const refused = async () => {
      if (kept.handle && started.length > 1) throw refusal;
    };
    assert.equal(await run({ reports: reports(refused) }), 'left');
    assert.deepEqual([kept.ends, driver.alive.size], [[], 1]);
  });

  test('comes back to its command when a runner that slept threw it off, without a line lost or doubled', async () => {
    const goOn = Promise.withResolvers<void>();
    const launch = driver.launch;
    driver.launch = async (given) => {
      const vm = await launch(given);
      program('step', async ({ stdin, print }) => {
        const command = (await stdin).split('\0').at(-2) ?? '';
        started.push(command);
        print(`${command} begins\n`);
        if (command === 'npm test') {
          void throwOff(vm, started.length - 1).then(goOn.resolve);
          await goOn.promise;
        }
        print(`${command} ends\n`);
        return 0;
      });
      return vm;
    };
    assert.equal(await run({}), 'over');
    assert.deepEqual(kept.ends, ['passed']);
    assert.deepEqual(started, ['npm ci', 'npm test', 'npm run lint', './deploy']);
    assert.deepEqual(kept.log.match(/^npm test .*$/gm), ['npm test begins', 'npm test ends']);
  });

  /** Asks for a command as another runner does, sees it begin, and is gone. */
  async function throwOff(vm: Vm, number: number): Promise<void> {
    // The first runner has it by then.
    while (!kept.log.includes('npm test begins')) await delay(5);
    const { host, port, hostKey, clientKey: privateKey } = vm;
    const session = await connect({ host, port, hostKey, privateKey, username: 'root', timeoutMs: 60_000 });
    const seen = Promise.withResolvers<void>();
    const stdin = new PassThrough();
    stdin.write(Buffer.alloc(4));
    session
      .exec(`/usr/lib/ebb/step ${number} 0`, { stdin, onStdout: () => seen.resolve() })
      .catch(() => undefined);
    await seen.promise;
    await session.close();
  }

  test('has what another runner needs sealed, so that only who may open its secrets opens its VM', async () => {
    await run({});
    const [header = ''] = (kept.handle ?? '').split('.');
    const { kid, purpose } = JSON.parse(Buffer.from(header, 'base64url').toString());
    assert.deepEqual([kid, purpose], ['prj_1', 'vm-handle']);
  });
});
