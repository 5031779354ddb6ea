import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as later } from 'node:timers/promises';
import type { Image } from '../../image/build-image.ts';
import type { Template, TemplateKind } from './template.ts';
import { createTemplates, type TemplateEvent } from './templates.ts';

const kindOf = (memoryMib: number): TemplateKind => ({
  image: { digest: 'a'.repeat(64) } as Image,
  ...{ accelerator: 'tcg', memoryMib, cpus: 1 },
});

/** Templates that are made at once, unless told to fail. */
function open() {
  const state = { made: 0, open: 0, fail: false, events: [] as TemplateEvent[] };
  const templates = createTemplates({
    runtimeDir: '/dev/shm/none',
    onEvent: (event) => void state.events.push(event),
    async make() {
      if (state.fail) throw new Error('It ended while it booted.');
      state.made += 1;
      state.open += 1;
      const close = async () => {
        state.open -= 1;
      };
      return { sha256: '0', bytes: 1, made_at: '', close, open: () => Promise.reject(new Error('not used')) };
    },
  });
  const want = async (kind: TemplateKind) => {
    templates.want(kind);
    for (let turn = 0; turn < 5; turn++) await later();
    return templates.find(kind);
  };
  return { state, templates, want };
}

test('a template is made once for each kind, and given to every VM of it', async () => {
  const { state, templates, want } = open();
  assert.equal(templates.find(kindOf(1024)), undefined);
  const template = await want(kindOf(1024));
  assert.ok(template);
  assert.equal(await want(kindOf(1024)), template);
  assert.notEqual(await want({ ...kindOf(1024), cpus: 2 }), template);
  assert.notEqual(await want({ ...kindOf(1024), image: { digest: 'b'.repeat(64) } as Image }), template);
  assert.equal(state.made, 3);
});

test('the one that was used longest ago makes room for another', async () => {
  const { state, templates, want } = open();
  for (const memoryMib of [1024, 2048, 3072]) await want(kindOf(memoryMib));
  templates.find(kindOf(1024));
  await want(kindOf(4096));
  assert.equal(state.open, 3);
  assert.equal(templates.find(kindOf(2048)), undefined);
  assert.ok(templates.find(kindOf(1024)));
});

test('one that no VM went on from is dropped and made anew, but not again and again', async () => {
  const { state, templates, want } = open();
  for (let failure = 0; failure < 3; failure++) {
    const template = (await want(kindOf(1024))) as Template;
    const drop = () => templates.drop(kindOf(1024), template, new Error('It ended.'));
    await Promise.all([drop(), drop()]);
    assert.equal(templates.find(kindOf(1024)), undefined);
    assert.equal(state.open, 0);
  }
  assert.equal(await want(kindOf(1024)), undefined);
  assert.equal(state.made, 3);
  assert.equal(state.events.filter(({ type }) => type === 'dropped').length, 3);
  assert.ok(await want(kindOf(2048)), 'another kind has not failed');
});

test('a failure counts no more once a VM went on', async () => {
  const { templates, want } = open();
  for (let round = 0; round < 5; round++) {
    const template = (await want(kindOf(1024))) as Template;
    templates.worked(kindOf(1024));
    await templates.drop(kindOf(1024), template, new Error('It ended.'));
  }
  assert.ok(await want(kindOf(1024)));
});

test('what cannot be made is told, and given up after three times', async () => {
  const { state, want } = open();
  state.fail = true;
  for (let attempt = 0; attempt < 5; attempt++) assert.equal(await want(kindOf(1024)), undefined);
  assert.deepEqual(state.events, Array(3).fill({ type: 'not_made', error: 'It ended while it booted.' }));
});

test('when the runner ends all room is given back, and nothing more is made', async () => {
  const { state, templates, want } = open();
  for (const memoryMib of [1024, 2048]) await want(kindOf(memoryMib));
  await templates.close();
  assert.equal(state.open, 0);
  assert.equal(await want(kindOf(1024)), undefined);
});
