import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog, logLevel } from './log.ts';

test('a line is what hclog writes, with the fields beside', () => {
  const lines: string[] = [];
  const log = createLog((line) => lines.push(line), { now: () => new Date('2026-11-01T12:00:00Z') });
  log.debug('call served', { rpc: 'ReadResource' });
  assert.deepEqual(JSON.parse(lines.join('')), {
    ...{ '@level': 'debug', '@message': 'call served', '@module': 'provider', rpc: 'ReadResource' },
    '@timestamp': '2026-11-01T12:00:00.000000Z',
  });
});

test('what nobody will see is not written', () => {
  const written = (environment: Record<string, string>) => {
    const lines: string[] = [];
    const log = createLog((line) => lines.push(line), { level: logLevel(environment) });
    for (const level of ['debug', 'info', 'warn', 'error'] as const) log[level](level);
    return lines.map((line) => JSON.parse(line)['@level']);
  };
  assert.deepEqual(written({}), ['warn', 'error']);
  assert.deepEqual(written({ TF_LOG: 'DEBUG' }), ['debug', 'info', 'warn', 'error']);
  assert.deepEqual(written({ TF_LOG: 'json' }), ['debug', 'info', 'warn', 'error']);
  assert.deepEqual(written({ TF_LOG: 'trace', TF_LOG_PROVIDER: 'error' }), ['error']);
  assert.deepEqual(written({ TF_LOG: 'off' }), []);
});
