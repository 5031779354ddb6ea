import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { endProcess, isAlive, type ProcessIdentity } from '../../../contract/process-identity.ts';
import { buildImage, type Image } from '../../image/build-image.ts';
import { readSections } from '../../image/disk/unified-kernel-image.ts';
import { authenticodeDigest } from '../../image/measured/authenticode.ts';
import { createProgramCache, type MeasuredProgram } from '../../image/measured/measured-program.ts';
import { judgedPcrs, pcrValues } from '../../image/measured/measurements.ts';
import { base } from '../../image/recipes.ts';
import { connect, type SshSession } from '../../ssh/connection.ts';
import type { Vm, VmDriver } from '../driver.ts';
import { judgeRamdiskProof } from '../ramdisk-proof.ts';
import { askForQuote, createAttestationKey, TpmError, type TpmTransport } from '../tpm/commands.ts';
import { createQemuDriver } from './qemu-driver.ts';
import { withTpm } from './swtpm.ts';

const run = promisify(execFile);
const cacheDir = join(import.meta.dirname, '../../../.ebb/cache');
const signal = AbortSignal.timeout(9 * 60_000);
let image: Image;
let program: MeasuredProgram;
let folder: string;
let runtimeDir: string;

before(async () => {
  image = await buildImage({ recipe: base, cacheDir: join(cacheDir, 'images'), signal });
  program = await createProgramCache(join(cacheDir, 'images'))(image, signal);
  folder = await mkdtemp('/dev/shm/ebb-measured-');
  runtimeDir = join(folder, 'run');
});
after(() => rm(folder, { recursive: true, force: true }));

const openDriver = (of: MeasuredProgram): VmDriver =>
  createQemuDriver({ image, runtimeDir, cacheDir, measuredProgram: async () => of });

const logIn = (vm: Vm) =>
  connect({
    ...{ host: vm.host, port: vm.port, username: 'root', privateKey: vm.clientKey, hostKey: vm.hostKey },
    ...{ timeoutMs: 60_000, signal },
  });

/** QEMU and swtpm of a VM, as they are on record. */
async function processesOf(id: string): Promise<{ qemu: ProcessIdentity; tpm: ProcessIdentity }> {
  return JSON.parse(await readFile(join(runtimeDir, id, 'owner.json'), 'utf8'));
}

async function untilGone(identity: ProcessIdentity): Promise<void> {
  while (await isAlive(identity)) await delay(20, undefined, { signal });
}

test('what is expected of an image agrees with two other programs: pesign and systemd-measure', async () => {
  const bytes = await readFile(program.path);
  const paths = { program: program.path, kernel: image.kernelPath, stub: image.stubPath };
  for (const path of Object.values(paths)) {
    const { stdout } = await run('pesign', ['-h', '-d', 'sha256', '-i', path]);
    const digest = authenticodeDigest(await readFile(path), 'sha256').toString('hex');
    assert.equal(digest, /[0-9a-f]{64}/.exec(stdout)?.[0]);
  }
  const parts: string[] = [];
  for (const [option, name] of Object.entries({
    ...{ linux: '.linux', osrel: '.osrel', cmdline: '.cmdline', initrd: '.initrd' },
  })) {
    const data = readSections(bytes).find((section) => section.name === name)?.data;
    await writeFile(join(folder, option), data ?? '');
    parts.push(`--${option}=${join(folder, option)}`);
  }
  const measure = ['calculate', '--bank=sha256', '--phase=:', ...parts];
  const { stdout } = await run('/usr/lib/systemd/systemd-measure', measure);
  const expected = pcrValues(program.measurements, judgedPcrs);
  assert.equal(/11:sha256=([0-9a-f]{64})/.exec(stdout)?.[1], expected.get(11)?.toString('hex'));
});

describe('a VM that boots measured', () => {
  let driver: VmDriver;
  let vm: Vm;
  let root: SshSession;

  before(async () => {
    driver = openDriver(program);
    vm = await driver.launch({ id: 'vm_measured', memoryMib: 1024, cpus: 1, deadmanSeconds: 600, signal });
    root = await logIn(vm);
  });
  after(async () => {
    await driver?.close();
    await root?.close();
  });

  const ownTpm = (command: Buffer) => output(root, '/usr/lib/ebb/tpm', command);
  /** The VM as it would be if its TPM's answers were given by somebody else. */
  const answeredBy = (tpm: TpmTransport): SshSession => ({
    ...root,
    async exec(command, options = {}) {
      if (command !== '/usr/lib/ebb/tpm') return await root.exec(command, options);
      await options.onStdout?.(await tpm(options.stdin as Buffer));
      return { code: 0, signal: null };
    },
  });

  test('proves that it booted its image and nothing else, and that it has no disk', async () => {
    const expected = [...pcrValues(program.measurements, judgedPcrs)].map(([pcr, value]) => [
      ...[`${pcr}`, value.toString('hex')],
    ]);
    assert.deepEqual(await vm.attest?.(root, signal), { ok: true, pcrs: Object.fromEntries(expected) });
    const proof = await output(root, '/usr/lib/ebb/ramdisk-proof');
    assert.equal(judgeRamdiskProof(JSON.parse(proof.toString())).ok, true);
    const { qemu } = await processesOf(vm.id);
    const command = await readFile(`/proc/${qemu.pid}/cmdline`, 'utf8');
    assert.doesNotMatch(command, /-drive|-blockdev|-mem-path|-hd[a-d]|pflash/);
  });

  test('has its keys in no file, and its TPM’s state on a tmpfs', async () => {
    const files = await readdir(join(runtimeDir, vm.id), { recursive: true });
    assert.deepEqual(files.sort(), ['owner.json', 'tpm', 'tpm/.lock', 'tpm/tpm2-00.permall']);
    const { stdout } = await run('stat', ['-f', '-c', '%T', join(runtimeDir, vm.id, 'tpm')]);
    assert.equal(stdout.trim(), 'tmpfs');
    const again = await output(root, 'timeout 1 cat /dev/ttyS1 || true');
    assert.equal(again.length, 0, 'the identity is given once');
  });

  test('signs quotes that tpm2-tools accept', async () => {
    const nonce = randomBytes(32);
    const quote = await askForQuote(ownTpm, nonce, judgedPcrs);
    // TPM2_ReadPublic of the attestation key.
    const answer = await ownTpm(Buffer.from('80010000000e0000017381000001', 'hex'));
    const files = { key: answer.subarray(10), quote: quote.attested, signature: quote.signature };
    for (const [name, data] of Object.entries(files)) await writeFile(join(folder, name), data);
    const check = (asked: string) =>
      run(
        'tpm2',
        ['checkquote', '-u', 'key', '-m', 'quote', '-s', 'signature', '-g', 'sha256', '-q', asked],
        { cwd: folder },
      );
    await check(nonce.toString('hex'));
    await assert.rejects(check('ff'.repeat(32)));
  });

  test('is refused when it answers with an old quote', async () => {
    let old: Buffer | undefined;
    const replay = answeredBy(async (command) => (old ??= await ownTpm(command)));
    assert.equal((await vm.attest?.(replay, signal))?.ok, true);
    assert.deepEqual(await vm.attest?.(replay, signal), {
      ok: false,
      violations: ['the quote answers another question: it is an old one'],
    });
  });

  test('is refused when another TPM answers, though all was measured into that as expected', async () => {
    const state = join(folder, 'other-tpm');
    await mkdir(state);
    const verdict = await withTpm(state, signal, async (tpm) => {
      await createAttestationKey(tpm);
      for (const { pcr, digest } of program.measurements) {
        // TPM2_PCR_Extend with an empty password.
        const extend = `80020000004100000182${'000000'}${pcr.toString(16).padStart(2, '0')}00000009400000090000000000`;
        await tpm(Buffer.from(`${extend}00000001000b${digest.toString('hex')}`, 'hex'));
      }
      return await vm.attest?.(answeredBy(tpm), signal);
    });
    assert.deepEqual(verdict, {
      ok: false,
      violations: ['the quote is not signed by the TPM that was made for this VM'],
    });
  });

  test('proves nothing when its TPM was killed', async () => {
    await endProcess((await processesOf(vm.id)).tpm);
    await assert.rejects(async () => await vm.attest?.(root, signal), TpmError);
  });

  test('leaves nothing when it is destroyed', async () => {
    const { qemu, tpm } = await processesOf(vm.id);
    await vm.destroy();
    assert.deepEqual(await readdir(runtimeDir), []);
    assert.deepEqual([await isAlive(qemu), await isAlive(tpm)], [false, false]);
  });
});

test('a VM whose program was changed by one byte is refused, with what differs', async () => {
  const bytes = await readFile(program.path);
  const at = bytes.indexOf('lockdown=confidentiality');
  bytes.write('lockdown=confidentialitx', at);
  const path = join(folder, 'changed.efi');
  await writeFile(path, bytes);
  const driver = openDriver({ ...program, path });
  try {
    const vm = await driver.launch({ id: 'vm_changed', memoryMib: 1024, cpus: 1, signal });
    const root = await logIn(vm);
    assert.deepEqual(await vm.attest?.(root, signal), {
      ok: false,
      violations: [
        'the unified kernel image is not that of the image (register 4)',
        'the command line that the kernel got is not that of the image (register 9)',
        'the section .cmdline is not that of the image (register 11)',
      ],
    });
    // As when the VM ends itself and its runner is dead: the TPM goes with QEMU.
    const { qemu, tpm } = await processesOf(vm.id);
    await endProcess(qemu);
    await untilGone(tpm);
    await root.close();
  } finally {
    await driver.close();
  }
});

test('a TPM that does not start is told with what may be missing', async () => {
  const state = join(folder, 'no-such-folder');
  const failing = withTpm(state, signal, (tpm) => createAttestationKey(tpm));
  await assert.rejects(failing, /Is the package swtpm installed\?/);
});

async function output(session: SshSession, command: string, stdin?: Buffer): Promise<Buffer> {
  const said: Buffer[] = [];
  const onStdout = (chunk: Buffer) => void said.push(chunk);
  await session.exec(command, { onStdout, signal, ...(stdin ? { stdin } : {}) });
  return Buffer.concat(said);
}
