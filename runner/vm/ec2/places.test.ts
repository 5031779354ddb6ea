import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPlaces, type Market, type Place } from './places.ts';

const types = [
  { name: 'small', memoryMib: 2048 },
  { name: 'large', memoryMib: 8192 },
];

function open(market: Market = 'on-demand') {
  let now = 0;
  const places = createPlaces({ instanceTypes: types, subnets: ['a', 'b'], market }, () => now);
  const next = (memoryMib = 1024): Place | number | undefined => {
    const answer = places.next(memoryMib);
    return answer && 'place' in answer ? answer.place : answer?.waitMs;
  };
  const fill = (times: number, memoryMib?: number) => {
    for (let count = 0; count < times; count++) places.full(next(memoryMib) as Place);
  };
  const shown = (place: ReturnType<typeof next>) =>
    typeof place === 'object' ? `${place.instanceType} ${place.subnet}${place.spot ? ' spot' : ''}` : place;
  return {
    places,
    next: (memoryMib?: number) => shown(next(memoryMib)),
    take: next,
    fill,
    pass: (ms: number) => (now += ms),
  };
}

test('the first instance type is tried in every subnet before the next type', () => {
  const { next, fill } = open();
  const order = [];
  for (let count = 0; count < 4; count++) {
    order.push(next());
    fill(1);
  }
  assert.deepEqual(order, ['small a', 'small b', 'large a', 'large b']);
});

test('spot capacity comes first and on-demand is the way out', () => {
  const { next, fill } = open('spot-then-on-demand');
  assert.equal(next(), 'small a spot');
  fill(4);
  assert.equal(next(), 'small a');
  assert.equal(open('spot').next(), 'small a spot');
  assert.equal(open('on-demand').next(), 'small a');
});

test('a type that is too small is left out; when none is large enough there is no place', () => {
  const { next } = open();
  assert.equal(next(4096), 'large a');
  assert.equal(next(16_384), undefined);
});

test('when no place has room it tells how long to wait, longer each time, and a success starts anew', () => {
  const { next, fill, pass, places, take } = open();
  fill(4);
  assert.equal(next(), 15_000);
  pass(15_000);
  assert.equal(next(), 'small a');
  fill(4);
  assert.equal(next(), 30_000);
  pass(30_000);
  places.worked(take() as Place);
  fill(4);
  assert.equal(next(), 15_000);
});
