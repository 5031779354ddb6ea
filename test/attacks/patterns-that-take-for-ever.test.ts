import assert from 'node:assert/strict';
import { globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isSafePattern } from 'redos-detector';
import { type FoundPattern, findPatterns } from './find-patterns.ts';

/* No text that somebody sends may keep a process busy: https://owasp.org/www-community/attacks/Regular_expression_Denial_of_Service_-_ReDoS */

// The detector looks for texts that a pattern matches in more than one way, wherever in the text it begins. These it cannot
// clear, or they are put together from parts. Why each is harmless:
const judged: Record<string, Record<string, string>> = {
  'api/configuration.ts': {
    '…': 'The pattern of an API key, which is checked where it stands.',
    '\\b…\\b': 'The name of a variable of this program, in a message of its own.',
  },
  'api/http/describe-answers.ts': {
    '\\{(\\w+)\\}': 'Paths of our own routes, when the API starts.',
  },
  'api/source-hosts/github/github-deliveries.ts': {
    '<([^<>]+)>;\\s*rel="next"': 'It stops at the next <, so no text is read twice.',
  },
  'contract/id.ts': { '^…_[0-9a-hjkmnp-tv-z]{26}$': 'The prefix of an id, a word of the contract.' },
  'api/source-hosts/conformance/events.ts': { '^refs/.*/…/head$': 'A test: the ref that a stand-in made.' },
  'cli/client.ts': { '\\/+$': 'EBB_ENDPOINT, which whoever runs the command has set.' },
  'cli/doctor/api-reach-findings.ts': { '\\/+$': 'EBB_API_URL, which whoever runs the command has set.' },
  'cli/printable.ts': {
    '[…]': 'A set of characters, which matches one of them.',
    '…\\[[0-9;:]{0,40}m|\\r\\n?|\\t|\\n|[…]':
      'It begins with an escape and reads 40 characters more at most.',
    '(?:…(?:\\[[0-9;:]{0,40})?|\\r)$': 'It begins with an escape and reads 40 characters more at most.',
  },
  'contract/log-hooks.ts': { '[…]': 'A set of characters, which matches one of them.' },
  'contract/mail-address.ts': {
    '…': 'The pattern of a mail address, which is checked where it stands, without its capital letters.',
  },
  'contract/verified-tls.ts': {
    '-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----':
      "It stops at the first hyphen, so no text is read twice; and it is the operator's own file.",
  },
  'provider/configuration.ts': { '\\/+$': "The endpoint, in the team's own configuration." },
  'provider/functions/parse-repository-url.ts': {
    '^\\/+|\\/+$': 'Of an address of at most 2,000 characters.',
    '\\/\\/[^/]*@': 'Of at most 2,000 characters.',
    '^(?:[\\w.-]+@)?([\\w.-]+):(?!\\/\\/)(\\S+)$': 'Of at most 2,000 characters.',
  },
  'provider/reference/generate.ts': {
    'provider::ebb::…\\(.*\\)': 'Our own examples, when we write the reference.',
  },
  'provider/reference/markdown.ts': { '^…': 'Our own examples, when we write the reference.' },
  'provider/release/executable.ts': {
    '.*node_modules\\/((?:@[^/]+\\/)?[^/]+)': 'Paths of our own packages, when we release.',
  },
  'provider/release/mach-o/load-commands.ts': { '\\0.*$': 'Of 16 characters.' },
  'provider/resources/judge-value.ts': {
    '…': 'A pattern of the contract, which is checked where it stands.',
  },
  'provider/resources/words.ts': { '…': 'A pattern of the contract, which is checked where it stands.' },
  'provider/resources/timeouts.ts': {
    '(\\d+(?:\\.\\d+)?)(ms|s|m|h)': 'Of a text in which each number has its unit: it was judged before.',
  },
  'runner/build/secret-forms.ts': { '.{1,…}': 'It cuts a text into lines, each character once.' },
  'runner/configuration.ts': { '^(?!arn:)|^…$': "The ARN of a key, in the operator's own configuration." },
  'runner/image/disk/unified-kernel-image.ts': { '\\0+$': 'Of 8 characters.' },
  'runner/vm/openssh-private-key.ts': {
    '.{70}': 'It cuts a key that we made into lines, each character once.',
  },
  'runner/vm/ramdisk-proof.ts': {
    '(^|\\s)initcall_blacklist=(\\S*,)?nvme_init(,|\\s|$)':
      'The command line of a kernel, which cuts it at 2,048 characters; read before anybody else has been in the VM.',
  },
};

const rooms = ['api', 'cli', 'contract', 'provider', 'queue', 'runner', 'setup'];
const files = rooms
  .flatMap((room) => globSync(`${room}/**/*.ts`))
  .filter((file) => !/(\.test|-for-tests|\.full)\.ts$/.test(file));

test('no pattern takes longer than its text is long, but for those that were judged one by one', () => {
  const found = findPatterns(files);
  assert.ok(found.length > 150, `${found.length} patterns`);
  const doubtful = found.filter((pattern) => !pattern.isWhole || !isSafe(pattern));
  const unknown = doubtful.filter(({ file, source }) => judged[file]?.[source] === undefined);
  assert.deepEqual(
    unknown.map(inWords),
    [],
    'Mend these, or bound their text and say why they are harmless.',
  );
  const needed = new Set(doubtful.map(({ file, source }) => `${file} ${source}`));
  const listed = Object.entries(judged).flatMap(([file, sources]) =>
    Object.keys(sources).map((source) => `${file} ${source}`),
  );
  assert.deepEqual(
    listed.filter((name) => !needed.has(name)),
    [],
    'These need no judgement any more.',
  );
});

test('a pattern that takes for ever is found, in whichever way it is written', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ebb-patterns-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'slow.ts');
  const written = [
    'const a = /^(a|a)+$/;',
    "const b = new RegExp('^(b|b)+$', 'i');",
    "const part = '(c|c)+';",
    ['const schema = { pattern: `^$', '{part}$` };'].join(''),
    'const d = (text: string) => new RegExp(text);',
    'const e = /^fine$/;',
  ];
  writeFileSync(file, written.join('\n'));
  const found = findPatterns([file]);
  assert.deepEqual(
    found.map(({ line, source, isWhole }) => [line, source, isWhole]),
    [
      [1, '^(a|a)+$', true],
      [2, '^(b|b)+$', true],
      [4, '^(c|c)+$', true],
      [5, '…', false],
      [6, '^fine$', true],
    ],
  );
  assert.deepEqual(found.filter(({ isWhole }) => isWhole).map(isSafe), [false, false, false, true]);
});

function isSafe({ source, flags }: FoundPattern): boolean {
  const has = (flag: string) => flags.includes(flag);
  return isSafePattern(source, {
    ...{ maxScore: 200, maxSteps: 5_000 },
    ...{ caseInsensitive: has('i'), dotAll: has('s'), multiLine: has('m'), unicode: has('u') || has('v') },
  }).safe;
}

function inWords({ file, line, source, flags }: FoundPattern): string {
  return `${file}:${line} /${source}/${flags}`;
}
