import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

/*
 * The programs of the image that take a team's words, by the real bash, git and perl: what is in the words is never run, nor
 * an option of git or ssh. `ssh` is a stand-in that keeps its arguments and reaches nobody.
 */

const programs = join(import.meta.dirname, '..', '..', 'runner', 'image', 'files', 'usr', 'lib', 'ebb');
let folder: string;
let calls: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebb-shell-'));
  calls = join(folder, 'calls');
  await mkdir(join(folder, 'bin'));
  const ssh = `#!/bin/bash\nprintf '%s\\0' "$@" >> ${calls}\nprintf '\\036' >> ${calls}\necho 'Connection refused' >&2\nexit 255\n`;
  await writeFile(join(folder, 'bin', 'ssh'), ssh);
  await chmod(join(folder, 'bin', 'ssh'), 0o755);
  const script = await readFile(join(programs, 'checkout'), 'utf8');
  await writeFile(join(folder, 'checkout'), script.replaceAll('/home/checkout', folder));
});
after(() => rm(folder, { recursive: true }));

const ran = 'somebody-was-here';
const evil = (text: string) => text.replaceAll('RUN', `touch ${ran}`);
const words = [
  '$(RUN)',
  '`RUN`',
  '; RUN ;',
  '| RUN',
  '&& RUN',
  '\nRUN\n',
  "'; RUN; '",
  '"; RUN; "',
  '--upload-pack=RUN',
  '-oProxyCommand=RUN',
  'ext::sh -c RUN',
  '--exec=RUN',
  '-u RUN',
  ['$', '{IFS}RUN'].join(''),
  '* ? [a] {a,b} ~ ! #',
].map(evil);

/** Runs a program with these fields as its standard input; gives its exit code and what it said. */
async function run(command: string, args: string[], fields: string[]) {
  const { PATH = '' } = process.env;
  const child = spawn(command, args, {
    cwd: folder,
    env: { PATH: `${join(folder, 'bin')}:${PATH}`, HOME: folder },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
  child.stdin.on('error', () => {}); // It may end before it has read all.
  child.stdin.end(fields.map((field) => `${field}\0`).join(''));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, said };
}

const good = {
  ...{ user: 'git', host: 'git.example.com', port: '22', path: '/acme/shop.git' },
  ...{ hostKeys: 'ssh-ed25519 AAAA', commit: 'a'.repeat(40), ref: 'refs/heads/main' },
};

async function checkout(fields: Partial<typeof good>) {
  await rm(join(folder, 'source'), { recursive: true, force: true });
  await rm(calls, { force: true });
  const { user, host, port, path, hostKeys, commit, ref } = { ...good, ...fields };
  const result = await run(
    'bash',
    [join(folder, 'checkout')],
    [user, host, port, path, hostKeys, commit, ref],
  );
  const told = await readFile(calls, 'utf8').catch(() => '');
  return {
    ...result,
    calls: told
      .split('\x1e')
      .filter(Boolean)
      .map((line) => line.split('\0').slice(0, -1)),
  };
}

test('a checkout in order asks ssh for the repository, and for nothing else', async () => {
  const { code, calls } = await checkout({});
  assert.equal(code, 10);
  const [first = []] = calls;
  assert.deepEqual(first.slice(-2), ['git@git.example.com', "git-upload-pack '/acme/shop.git'"]);
});

for (const field of Object.keys(good) as (keyof typeof good)[])
  test(`nothing in the ${field} of a checkout is run, or is an option`, async () => {
    for (const word of words) {
      const value = field === 'ref' ? `refs/heads/${word}` : word;
      for (const odd of field === 'path' ? [word, `/${word}`] : [value]) {
        const { code, calls } = await checkout({ [field]: odd });
        assert.notEqual(code, 0, odd);
        // One host, one command, whatever the words: the host is the last argument but one.
        for (const args of calls) {
          assert.equal(args.at(-2), 'git@git.example.com', JSON.stringify(args));
          assert.ok(args.at(-1)?.startsWith("git-upload-pack '"), JSON.stringify(args));
        }
      }
    }
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name === ran),
      [],
    );
  });

test('values of the environment reach a command as they are, and are not run', async () => {
  const names = words.map((_, index) => `VALUE_${index}`);
  const fields = [...words.map((word, index) => `${names[index]}=${word}`), ''];
  const print = `for name in ${names.join(' ')}; do printf '%s\\0' "\${!name}"; done`;
  const { code, said } = await run('perl', [join(programs, 'run-step')], [...fields, print]);
  assert.equal(code, 0, said);
  assert.deepEqual(said.split('\0').slice(0, -1), words);
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name === ran),
    [],
  );
});

test('a command that is not NAME=VALUE, or is cut off, is not begun', async () => {
  for (const fields of [['=x', '', 'true'], ['A', '', 'true'], ['A=b'], ['A=b', '']]) {
    const { code, said } = await run('perl', [join(programs, 'run-step')], fields);
    assert.equal(code, 125, said);
  }
});
