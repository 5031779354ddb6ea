import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client } from './client.ts';
import { showBuild } from './commands/build.ts';
import { createTerminalLog, printable, printableLines } from './printable.ts';

const esc = '\u001b';
const attacks = {
  'clears the screen': `${esc}[2J`,
  'moves the cursor up': `${esc}[1A`,
  'renames the window': `${esc}]0;owned\u0007`,
  'writes to the clipboard': `${esc}]52;c;cm0gLXJmIH4=${esc}\\`,
  'links elsewhere': `${esc}]8;;https://evil.example${esc}\\`,
  'asks the terminal, which answers as if typed': `${esc}[6n`,
  'resets the terminal': `${esc}c`,
  'sends a device string': `${esc}P+q544e${esc}\\`,
  'uses the one-byte forms of C1': '\u009b2J\u009d0;owned\u009c',
  'steps back over what was printed': 'failed\b\b\b\b\b\bpassed',
  'turns the direction of the text': '\u202edessap\u202c',
  'hides characters without width': 'shop\u200b\ufeff',
  rings: '\u0007',
};
const steers = /[^\n\t\P{Cc}]|[\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/u;

test('a name, a reason or an error of others is one line that steers nothing', () => {
  for (const [what, attack] of Object.entries(attacks)) {
    const shown = printable(`before ${attack} after\nebb: build 1 passed`);
    assert.ok(!steers.test(shown) && !shown.includes('\n'), what);
    assert.match(shown, /^before .* after\?ebb: build 1 passed$/, what);
  }
  assert.equal(printable('Grüße, 世界 👩‍💻'), 'Grüße, 世界 👩‍💻');
  assert.equal(printableLines(`one\ntwo${esc}[2J`), 'one\ntwo?[2J');
});

test('a log on a terminal has its lines and colours, and steers nothing, wherever its pieces end', () => {
  for (const [what, attack] of Object.entries(attacks)) {
    const whole = `ok ${esc}[1;31mred${esc}[0m\t${attack}\r\nnext\n`;
    const shown = [...Array(whole.length).keys()].map((cut) => {
      const log = createTerminalLog();
      return log.write(whole.slice(0, cut)) + log.write(whole.slice(cut)) + log.end();
    });
    assert.equal(new Set(shown).size, 1, what);
    const [text = ''] = shown;
    assert.ok(text.startsWith(`ok ${esc}[1;31mred${esc}[0m\t`), what);
    assert.ok(text.endsWith(`\nnext\n${esc}[0m`), what);
    assert.ok(!steers.test(text.replaceAll(new RegExp(`${esc}\\[[0-9;]*m`, 'g'), '')), what);
  }
});

test('what was printed cannot be written over, and half of an escape is not kept for ever', () => {
  const log = createTerminalLog();
  assert.equal(
    log.write('secret step failed\rall is well      \n'),
    'secret step failed\nall is well      \n',
  );
  assert.equal(log.write(`${esc}[`), '');
  assert.equal(log.write('1'.repeat(100)), `?[${'1'.repeat(100)}`);
  assert.equal(log.write(esc), '');
  assert.equal(log.end(), '?');
});

test('ebb logs filters for a terminal, and gives a file the log as it was written', async (t) => {
  const log = `${esc}[8m${esc}[2J${esc}]0;owned\u0007`;
  const build = { number: 1, state: 'failed', reason: `A command failed.${esc}[2J\nebb: build 1 passed` };
  const errors = t.mock.method(console, 'error', () => {});
  for (const [isTTY, expected] of [
    [true, `${esc}[8m?[2J?]0;owned?${esc}[0m`],
    [false, log],
  ] as const) {
    let written = '';
    const write = (text: string | Uint8Array) => {
      written += text;
      return true;
    };
    assert.equal(await showBuild(clientOf(log, build), 'bld_1', { isTTY, write } as NodeJS.WriteStream), 1);
    assert.equal(written, expected);
  }
  assert.deepEqual(
    errors.mock.calls.map(({ arguments: [line] }) => line),
    Array(2).fill('ebb: build 1 failed: A command failed.?[2J?ebb: build 1 passed'),
  );
});

/** Answers the events of a build that is over. */
function clientOf(log: string, build: object): Client {
  const events = [
    `event: log\ndata: ${JSON.stringify({ offset: 0, text: log })}\n\n`,
    `event: build\ndata: ${JSON.stringify(build)}\n\n`,
    'event: end\ndata: {}\n\n',
  ];
  return { stream: async () => new Response(events.join('')) } as unknown as Client;
}
