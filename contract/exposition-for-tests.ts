import assert from 'node:assert/strict';

export interface Family {
  type: 'counter' | 'gauge' | 'histogram' | 'summary' | 'untyped';
  help: string;
  samples: { name: string; labels: Record<string, string>; value: number }[];
}

const metric = /[a-zA-Z_:][a-zA-Z0-9_:]*/.source;
const comment = new RegExp(`^# (HELP|TYPE) (${metric}) (.*)$`);
const sample = new RegExp(`^(${metric})(?:\\{(.*)\\})? (\\S+)( -?[0-9]+)?$`);
const label = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/;
// As Go's ParseFloat reads it, to which NaN in any letters is one.
const number = /^([+-]?Inf|[Nn][Aa][Nn]|[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?)$/;

/**
 * Reads the text format of Prometheus, version 0.0.4, as strictly as it is written: throws at whatever a parser may refuse.
 * https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 */
export function parseExposition(text: string): Map<string, Family> {
  assert.ok(text.endsWith('\n'), 'the last line ends with a line feed');
  const families = new Map<string, Family>();
  let current = '';
  for (const line of text.slice(0, -1).split('\n')) {
    if (line === '') continue;
    const [, keyword, name = '', rest = ''] = comment.exec(line) ?? [];
    if (keyword) {
      if (name !== current) assert.ok(!families.has(name), `${name} is in one group`);
      const family = families.get(name) ?? { type: 'untyped', help: '', samples: [] };
      assert.equal(family.samples.length, 0, `${keyword} of ${name} is before its samples`);
      if (keyword === 'HELP') family.help = rest;
      else family.type = readType(rest);
      families.set(name, family);
      current = name;
    } else {
      assert.ok(!line.startsWith('#'), `a comment that is none: ${line}`);
      readSample(line, current, families.get(current));
    }
  }
  for (const [name, family] of families) checkFamily(name, family);
  return families;
}

function readType(word: string): Family['type'] {
  const types = ['counter', 'gauge', 'histogram', 'summary', 'untyped'] as const;
  return types.find((type) => type === word) ?? assert.fail(`no type: ${word}`);
}

function readSample(line: string, current: string, family: Family | undefined): void {
  const [, name = '', inside = '', value = ''] = sample.exec(line) ?? assert.fail(`no sample: ${line}`);
  assert.ok(family, `a sample of no family: ${line}`);
  const suffixes: Record<string, string[]> = {
    histogram: ['_bucket', '_sum', '_count'],
    summary: ['', '_sum', '_count'],
  };
  const may = (suffixes[family.type] ?? ['']).map((suffix) => current + suffix);
  assert.ok(may.includes(name), `${name} is in the group of ${current}`);
  assert.match(value, number, line);
  family.samples.push({ name, labels: readLabels(inside), value: Number(value.replace('Inf', 'Infinity')) });
}

function readLabels(inside: string): Record<string, string> {
  const labels: Record<string, string> = {};
  let rest = inside;
  while (rest !== '') {
    const [whole, name = '', value = ''] = label.exec(rest) ?? assert.fail(`no label: ${rest}`);
    assert.ok(!(name in labels), `the label ${name} twice`);
    labels[name] = value.replace(/\\(["\\n])/g, (_, escaped) => (escaped === 'n' ? '\n' : escaped));
    rest = rest.slice(whole.length);
  }
  return labels;
}

function checkFamily(name: string, { type, help, samples }: Family): void {
  assert.ok(help !== '' && type !== 'untyped', `${name} says what it is`);
  const series = samples.map((one) => JSON.stringify([one.name, Object.entries(one.labels).sort()]));
  assert.equal(new Set(series).size, series.length, `${name} has a series twice`);
  if (type === 'counter') for (const { value } of samples) assert.ok(value >= 0, `${name} is below 0`);
  if (type === 'histogram') checkHistogram(name, samples);
}

function checkHistogram(name: string, samples: Family['samples']): void {
  const of = (suffix: string) => samples.filter((one) => one.name === name + suffix);
  const groups = Map.groupBy(of('_bucket'), ({ labels: { le: _, ...others } }) => JSON.stringify(others));
  assert.equal(of('_count').length, groups.size, name);
  for (const buckets of groups.values()) {
    const bounds = buckets.map(({ labels }) => Number((labels.le ?? '').replace('+Inf', 'Infinity')));
    assert.deepEqual(
      bounds,
      bounds.toSorted((a, b) => a - b),
      name,
    );
    assert.equal(bounds.at(-1), Number.POSITIVE_INFINITY, `${name} has a bucket for all`);
    const counts = buckets.map(({ value }) => value);
    assert.deepEqual(
      counts,
      counts.toSorted((a, b) => a - b),
      `${name} is cumulative`,
    );
    assert.ok(of('_count').some(({ value }) => value === counts.at(-1)));
  }
}
