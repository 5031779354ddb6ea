import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type BootedMachine, boot } from '../image/boot-for-tests.ts';
import { buildImage } from '../image/build-image.ts';
import { base } from '../image/recipes.ts';
import { connect, type SshSession } from '../ssh/connection.ts';
import { attachCommand, type CommandEnd } from './attach-command.ts';

const cacheDir = join(import.meta.dirname, '../../.ebb/cache/images');
const patience = () => AbortSignal.timeout(120_000);
const mebibyte = 1024 * 1024;

describe('a command in a VM', () => {
  let machine: BootedMachine;
  let root: SshSession;
  let numbers = 0;

  before(async () => {
    const image = await buildImage({ recipe: base, cacheDir, signal: patience() });
    machine = await boot(image, { deadmanSeconds: 600, identity: true });
    await machine.seen('ebb: ready');
    root = await logIn();
    await said('mkdir /home/build/workspace && chown build:build /home/build/workspace');
  });
  after(async () => {
    await root?.close();
    await machine?.close();
  });

  const logIn = () => {
    const { port, privateKey, hostKey } = machine;
    return connect({ host: '127.0.0.1', port, username: 'root', privateKey, hostKey, timeoutMs: 60_000 });
  };
  async function said(command: string): Promise<string> {
    const chunks: Buffer[] = [];
    await root.exec(command, { onStdout: (chunk) => void chunks.push(chunk), signal: patience() });
    return Buffer.concat(chunks).toString();
  }
  const input = (command: string) => Buffer.from(`NAME=value\0\0${command}\0`);
  const next = () => {
    numbers += 1;
    return numbers;
  };

  /** Looks at a command on a connection of its own, up to its end or until `enough` bytes came; then the connection is cut. */
  async function look(about: {
    number: number;
    from: number;
    command?: string;
    enough?: number;
    ack?: boolean;
  }) {
    const { number, from, command, enough = Number.POSITIVE_INFINITY, ack = false } = about;
    const session = await logIn();
    const chunks: Buffer[] = [];
    const had = Promise.withResolvers<'enough'>();
    let offset = from;
    const attached = attachCommand(session, {
      ...{ number, from, signal: patience() },
      ...(command !== undefined && { input: input(command) }),
      onOutput: async (chunk, end) => {
        if (offset - from >= enough) return;
        assert.equal(end, offset + chunk.length);
        chunks.push(chunk);
        offset = end;
        if (ack) attached.acknowledge(end);
        if (offset - from >= enough) had.resolve('enough');
      },
    });
    let end: CommandEnd | undefined;
    const seen = await Promise.race([attached.ended, had.promise]);
    if (seen !== 'enough') {
      end = seen;
      if (ack) await attached.over;
    }
    await session.close();
    return { output: Buffer.concat(chunks), offset, end };
  }

  test('goes on whoever looks: after two runners that left and a third one its output came whole and once', async () => {
    const number = next();
    const command = 'echo begun >> begun; for ((i = 0; i < 20000; i++)); do echo "line $i"; done; exit 7';
    const first = await look({ number, from: 0, command, enough: 40_000 });
    const second = await look({ number, from: first.offset, command, enough: 40_000, ack: true });
    const third = await look({ number, from: second.offset, command, ack: true });
    const expected = Array.from({ length: 20_000 }, (_, line) => `line ${line}\n`).join('');
    const whole = Buffer.concat([first.output, second.output, third.output]).toString();
    assert.ok(whole === expected, 'byte by byte');
    assert.deepEqual(third.end, { code: 7, signal: null, lingers: false });
    assert.equal(await said('cat /home/build/workspace/begun'), 'begun\n');
  });

  test('is started once by two that ask at the same moment', async () => {
    const number = next();
    const command = 'echo begun >> twice; sleep 1; echo over';
    const attach = () => {
      const taken: Buffer[] = [];
      const onOutput = async (chunk: Buffer) => void taken.push(chunk);
      return {
        ...attachCommand(root, { number, from: 0, input: input(command), onOutput, signal: patience() }),
        taken,
      };
    };
    const both = [attach(), attach()];
    const told = await Promise.all(both.map(({ ended }) => ended));
    assert.deepEqual(
      told.map(({ code }) => code),
      [0, 0],
      'who was thrown off came back',
    );
    assert.equal(await said('cat /home/build/workspace/twice'), 'begun\n');
  });

  test('waits while nobody takes its output, and what is not acknowledged is given again', async () => {
    const number = next();
    const command = `head -c ${10 * mebibyte} /dev/zero | tr '\\0' x; echo > printed`;
    const first = await look({ number, from: 0, command, enough: 3 * mebibyte });
    await delay(1_000);
    assert.equal(await said('ls /home/build/workspace/printed 2> /dev/null'), '', 'it is held back');
    const again = await look({ number, from: mebibyte, enough: mebibyte });
    assert.ok(again.output.length >= mebibyte, 'from where it was asked for');
    const rest = await look({ number, from: 0, ack: true });
    assert.ok(first.offset >= 3 * mebibyte);
    assert.equal(rest.output.length, 10 * mebibyte);
    assert.ok(rest.output.equals(Buffer.alloc(10 * mebibyte, 'x')));
    assert.equal(rest.end?.code, 0);
  });

  test('tells its end also long after it, and to who was not there', async () => {
    const number = next();
    await look({ number, from: 0, command: 'echo all; exit 3', ack: true });
    assert.match(await said(`cat /run/ebb/steps/${number}.end`), /^exit 3\n4\n$/);
    const late = await look({ number, from: 4, command: 'echo all; exit 3' });
    assert.deepEqual([late.output.length, late.end?.code], [0, 3]);
  });

  test('that left something running is over, and what it prints later comes to who looks then', async () => {
    const number = next();
    const command = '(while [ ! -e go ]; do sleep 0.2; done; echo later) & echo now; exit 4';
    const first = await look({ number, from: 0, command });
    assert.deepEqual(
      [first.output.toString(), first.end],
      ['now\n', { code: 4, signal: null, lingers: true }],
    );
    const second = look({ number, from: first.offset, enough: 6 });
    const end = await second;
    assert.equal(end.end?.lingers, true);
    const session = await logIn();
    const later = Promise.withResolvers<string>();
    const onOutput = async (chunk: Buffer) => later.resolve(chunk.toString());
    attachCommand(session, { number, from: first.offset, onOutput, signal: patience() }).ended.catch(
      () => {},
    );
    await said('touch /home/build/workspace/go');
    assert.equal(await later.promise, 'later\n');
    await session.close();
  });

  test('is watched over by what user build can neither end nor reach', async () => {
    const number = next();
    const command =
      'ls /run/ebb/steps || true; kill -9 $(pgrep -u root -f ebb/step) && echo killed; echo still here';
    const { output, end } = await look({ number, from: 0, command });
    assert.match(output.toString(), /cannot open directory/);
    assert.match(output.toString(), /not permitted[\s\S]*still here/);
    assert.doesNotMatch(output.toString(), /killed\n/);
    assert.equal(end?.code, 0);
  });

  test('is not ended by who comes again to end what was before it', async () => {
    const number = next();
    await look({ number, from: 0, command: 'echo here; sleep 30', enough: 5 });
    assert.equal(await said(`/usr/lib/ebb/end-processes ${number}`), '0\n');
    assert.notEqual(await said('pgrep -x -u build sleep'), '');
    assert.ok(Number(await said(`/usr/lib/ebb/end-processes ${next()}`)) > 0);
    assert.equal(await said('pgrep -x -u build sleep'), '');
  });

  test('that was never started is lost from sight, and stays so', async () => {
    await assert.rejects(look({ number: next(), from: 0 }), /was not started/);
  });
});
