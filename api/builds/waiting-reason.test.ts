import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inWords } from './waiting-reason.ts';

const team = { name: 'acme', paused_by_operator: null, paused_by_team: null };

test('a build that waits for its turn says its place', () => {
  const places = [1, 2, 3, 4, 11, 12, 13, 21, 22, 101, 111];
  assert.deepEqual(
    places.map((place) => /: (.*) in line/.exec(inWords({ place, waitsFor: 'turn' }))?.[1]),
    ['next', '2nd', '3rd', '4th', '11th', '12th', '13th', '21st', '22nd', '101st', '111th'],
  );
});

test('what is at its limit is named with the limit', () => {
  const at = (waitsFor: 'project_limit' | 'team_limit' | 'fleet_limit', limit: number) =>
    inWords({ place: 3, waitsFor, limit }, team);
  assert.equal(at('project_limit', 2), 'Waiting: 3rd in line; the project at its concurrency of 2.');
  assert.equal(at('team_limit', 4), 'Waiting: 3rd in line; team acme at its limit of 4 builds.');
  assert.equal(at('fleet_limit', 1), 'Waiting: 3rd in line; all of Ebb at its limit of 1 build.');
});

test('of two pauses the one that the team cannot end is told', () => {
  const paused = { ...team, paused_by_team: 'Ours.', paused_by_operator: 'Theirs.' };
  const place = { place: 1, waitsFor: 'team_paused' } as const;
  assert.match(inWords(place, paused), /paused by the operator: Theirs\.$/);
  assert.match(inWords(place, { ...paused, paused_by_operator: null }), /paused by the team: Ours\.$/);
});
