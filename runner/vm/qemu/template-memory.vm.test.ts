import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { readConsole } from './console.ts';
import { foundIn } from './guest-memory-for-tests.ts';
import { whenAsked } from './identity-port.ts';
import { spawnQemu } from './spawn-qemu.ts';
import { makeTemplate, type Template } from './template.ts';
import { openPlace, shape } from './template-for-tests.ts';

const signal = AbortSignal.timeout(20 * 60_000);
const canary = randomBytes(24).toString('hex');
const seed = randomBytes(64);
const now = Math.floor(Date.now() / 1000);

describe('the memory of a template', () => {
  let place: Awaited<ReturnType<typeof openPlace>>;
  let template: Template;

  before(async () => {
    process.env.EBB_TEST_CANARY = canary;
    place = await openPlace();
    const { image, runtimeDir } = place;
    const kind = { image, accelerator: 'tcg' as const, ...shape };
    template = await makeTemplate({ kind, runtimeDir, id: 'template_of_test', signal });
  });
  after(async () => {
    delete process.env.EBB_TEST_CANARY;
    await template?.close();
    await place?.close();
  });

  /** What a machine prints that goes on from it, gets this answer and no identity. */
  async function answered(answer: Buffer): Promise<string> {
    const memory = await template.open();
    const machine = { accelerator: 'tcg' as const, ...shape, sshPort: 0, start: { restored: true } as const };
    const qemu = await spawnQemu(machine, undefined, ['pipe', memory.fd]);
    await memory.close();
    const port = qemu.stdio[3] as unknown as Socket;
    const console = readConsole(qemu.stdout);
    try {
      whenAsked(port, 'template', () => {
        whenAsked(port, 'identity', () => port.write('0\n'));
        port.write(answer);
      });
      await once(qemu, 'close', { signal });
      return console.tail();
    } finally {
      qemu.kill('SIGKILL');
      port.destroy();
    }
  }

  test('holds no key and nothing of the runner, and is in no file with a name', async () => {
    const memory = await template.open();
    const { size } = await memory.stat();
    assert.ok(size === template.bytes && size > 100 * 1024 * 1024, `${size} bytes`);
    const secrets = ['b3BlbnNzaC1rZXktdjE', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5', canary];
    const wanted = [...secrets, '/usr/lib/ebb/begin-anew'].map((text) => Buffer.from(text));
    const found = await foundIn(memory, wanted, { from: 0, to: size });
    await memory.close();
    assert.deepEqual(found, [false, false, false, true]);
    assert.deepEqual(await place.folders(), []);
  });

  test('is not gone on from with too short a seed', async () => {
    const short = Buffer.concat([Buffer.from(`16 ${now} 0\n`), seed.subarray(0, 16)]);
    assert.match(await answered(short), /seed of 16 bytes is too short\s+ebb: no fresh seed and time/);
  });

  test('is not gone on from without the time', async () => {
    const said = await answered(Buffer.concat([Buffer.from('64\n'), seed]));
    assert.match(said, /not a length and the time\s+ebb: no fresh seed and time/);
  });

  test('is not gone on from without an identity', async () => {
    const said = await answered(Buffer.concat([Buffer.from(`64 ${now} 0\n`), seed]));
    assert.match(said, /ebb: no identity/);
  });
});
