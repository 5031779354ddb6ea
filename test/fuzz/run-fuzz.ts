import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Route } from '../../api/auth/rule.ts';
import { createChoices } from './choices.ts';
import { createJudge } from './judge.ts';
import { mutate } from './mutate.ts';
import { asCurl, type FuzzAnswer, type FuzzRequest, sendRequest } from './request.ts';
import { routes, type World } from './world.ts';

// Revoking a project waits for its builds; everything else answers within a second.
const timeoutMs = 60_000;
const mostFindings = 25;

export interface Outcome {
  findings: string[];
  /** How often each route answered with each status. */
  statuses: Map<Route, Map<number, number>>;
  perSecond: number;
  slowest: { milliseconds: number; request: string };
  /** Bytes in the heap after a garbage collection, after a tenth of the requests and at the end. */
  heap: { early: number; late: number };
}

/** Sends `requests` requests, one after the other, each to the next route. The same seed makes the same changes. */
export async function runFuzz(
  world: World,
  { seed, requests }: { seed: number; requests: number },
): Promise<Outcome> {
  const judge = createJudge(world);
  const findings: string[] = [];
  const statuses: Outcome['statuses'] = new Map();
  let slowest = { milliseconds: 0, request: '' };
  let early = 0;
  const began = performance.now();
  for (let number = 0; number < requests && findings.length < mostFindings; number++) {
    if (number === Math.floor(requests / 10)) early = heapAfterCollection();
    const [route, rule] = routes[number % routes.length] as (typeof routes)[number];
    const choices = createChoices(seed, number);
    const request = mutate(world.draft(route, rule, choices), choices, world.ids());
    const told = (what: string) =>
      `request ${number} of seed ${seed}, ${route}: ${what}\n${asCurl(world.origin, request)}`;
    const answer = await sendRequest(world.origin, request, timeoutMs).catch((error: Error) => error);
    if (answer instanceof Error) {
      findings.push(told(answer.message));
      continue;
    }
    findings.push(...judge(request, answer).map(told));
    count(statuses, route, answer.status);
    if (answer.milliseconds > slowest.milliseconds)
      slowest = { milliseconds: answer.milliseconds, request: told(`${Math.round(answer.milliseconds)} ms`) };
    const end = endOf(request, answer);
    if (end) await world.renew(end);
    await world.keepTeam(request);
  }
  const perSecond = (requests / (performance.now() - began)) * 1000;
  return { findings, statuses, perSecond, slowest, heap: { early, late: heapAfterCollection() } };
}

const ends = /^DELETE \/v1\/[a-z-]+\/:id$|^POST .*\/:id\/(revoke|finish|cancel)$/;

/** The route by which a thing is over that later requests need; a changed method or path may be another than it was made for. */
function endOf({ method, url }: FuzzRequest, { status }: FuzzAnswer): Route | undefined {
  const path = url.split('?')[0]?.replace(/^(\/v1\/[a-z-]+)\/[^/]+/, '$1/:id');
  const asked = `${method} ${path}` as Route;
  return status < 300 && ends.test(asked) && routes.some(([route]) => route === asked) ? asked : undefined;
}

function count(statuses: Outcome['statuses'], route: Route, status: number): void {
  const of = statuses.get(route) ?? new Map<number, number>();
  of.set(status, (of.get(status) ?? 0) + 1);
  statuses.set(route, of);
}

function heapAfterCollection(): number {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  collect();
  return process.memoryUsage().heapUsed;
}
