import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createForecast, type Forecast } from './forecast.ts';

const minute = 60_000;

/** So many asked for in each of some minutes; gives when it ended. */
function ask(forecast: Forecast, aMinute: number, minutes: number, from = 0): number {
  const asks = aMinute * minutes;
  for (let index = 1; index <= asks; index += 1) forecast.asked(from + (index * minute) / aMinute);
  return from + minutes * minute;
}

test('nothing that was asked for wants no VM', () => {
  assert.equal(createForecast().wanted(0, 10), 0);
});

test('as many are wanted as are asked for while one boots, and some more', () => {
  const forecast = createForecast();
  for (let boot = 0; boot < 20; boot += 1) forecast.booted(30_000);
  const now = ask(forecast, 6, 30);
  // 6 a minute and 30 s a boot: 3 on average, and in 19 of 20 cases no more than 6.
  assert.equal(forecast.wanted(now, 100), 6);
});

test('slower boots and more builds want more VMs', () => {
  const [base, slower, busier] = [createForecast(), createForecast(), createForecast()];
  for (let boot = 0; boot < 10; boot += 1) slower.booted(60_000);
  const now = ask(base, 4, 30);
  ask(slower, 4, 30);
  ask(busier, 20, 30);
  assert.ok(slower.wanted(now, 100) > base.wanted(now, 100));
  assert.ok(busier.wanted(now, 100) > base.wanted(now, 100));
});

test('never more are wanted than may wait, however many are asked for', () => {
  const forecast = createForecast();
  for (let build = 0; build < 100_000; build += 1) forecast.asked(1);
  assert.equal(forecast.wanted(1, 8), 8);
});

test('what was asked for is forgotten when nothing comes', () => {
  const forecast = createForecast();
  let now = ask(forecast, 30, 30);
  let before = forecast.wanted(now, 100);
  assert.ok(before > 3);
  while (before > 0) {
    now += minute;
    const wanted = forecast.wanted(now, 100);
    assert.ok(wanted <= before);
    before = wanted;
  }
  assert.ok(!forecast.isQuiet(now));
  assert.ok(forecast.isQuiet(now + 60 * minute));
});
