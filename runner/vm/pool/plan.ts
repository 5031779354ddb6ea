import { startBoot, stopBoot } from './boot.ts';
import { type Line, lacking, spare, type Taker, targetsOf } from './line.ts';
import { bootsOf, dropReady, idleOf, type PoolState, tellOf, vmsOf } from './pool-state.ts';
import { whyBootsWait, whyBroken, whyNoRoom } from './reasons.ts';
import type { WaitingVm } from './waiting-vm.ts';

/** Does all that can be done now: hands out, boots, replaces, lets go. Calling it once more changes nothing. */
export function act(pool: PoolState): void {
  for (const line of pool.lines.values()) handOut(pool, line);
  startForTakers(pool);
  const targets = targetsOf(pool.lines.values(), pool.max, pool.clock.now());
  for (const [line, target] of targets) {
    startAhead(pool, line, target);
    dropReplaced(pool, line, target);
  }
  letGo(pool, targets);
  forget(pool);
}

function handOut(pool: PoolState, line: Line): void {
  for (const vm of line.ready.filter((one) => one.isSure())) {
    const taker = line.takers[0];
    if (!taker) return;
    hand(pool, line, vm, taker);
  }
  if (line.takers.length > 0) for (const vm of line.ready) vm.ask();
}

function hand(pool: PoolState, line: Line, vm: WaitingVm, taker: Taker): void {
  vm.leave();
  line.ready = line.ready.filter((other) => other !== vm);
  vm.trial.succeeded();
  pool.used += 1;
  void vm.live.vm.exited.then(() => {
    pool.used -= 1;
    pool.turn();
  });
  const ms = pool.clock.now() - taker.since;
  tellOf(pool, line, { type: 'taken', vm: vm.live.vm.id, ms, ready: vm.since <= taker.since });
  taker.resolve(vm.live);
}

/** A boot for each build that has none on the way, in the order in which they came, as far as the bounds allow. */
function startForTakers(pool: PoolState): void {
  const onTheWay = new Map(
    [...pool.lines.values()].map((line) => [line, line.ready.length + line.boots.size]),
  );
  let lackRoom = 0;
  for (const taker of takersOf(pool)) {
    const { line } = taker;
    const left = onTheWay.get(line) ?? 0;
    onTheWay.set(line, left - 1);
    if (left > 0) continue;
    const obstacle = obstacleOf(pool, line);
    if (obstacle === 'broken') taker.tell(whyBroken(line.breaker), `broken ${line.breaker.failures()}`);
    else if (obstacle === 'boots') taker.tell(whyBootsWait(pool.bootsAtOnce), obstacle);
    else if (obstacle === 'room') {
      lackRoom += 1;
      taker.tell(whyNoRoom(pool.maxVms), obstacle);
    } else startBoot(pool, line);
  }
  makeRoom(pool, lackRoom);
}

function takersOf({ lines }: PoolState): Taker[] {
  return [...lines.values()].flatMap(({ takers }) => takers).toSorted((a, b) => a.order - b.order);
}

/** Why a boot may not begin now. */
function obstacleOf(pool: PoolState, { breaker }: Line): 'broken' | 'boots' | 'room' | undefined {
  if (!breaker.admits()) return 'broken';
  if (bootsOf(pool) >= pool.bootsAtOnce) return 'boots';
  return vmsOf(pool) >= pool.maxVms ? 'room' : undefined;
}

/** A VM of another shape that nobody waits for makes room for a build that has none. */
function makeRoom(pool: PoolState, wanted: number): void {
  for (let missing = wanted - pool.ending; missing > 0; missing -= 1) {
    const line = [...pool.lines.values()].find(({ ready, takers }) => ready.length > takers.length);
    const [oldest] = line?.ready ?? [];
    if (!line || !oldest) return;
    dropReady(pool, line, oldest, 'surplus');
  }
}

/** Not beside what builds wait for: on a machine that emulates its VMs that would make them wait longer. */
function startAhead(pool: PoolState, line: Line, target: number): void {
  if (line.takers.length > 0) return;
  while (lacking(line, target) > 0 && idleOf(pool) <= pool.max && !obstacleOf(pool, line))
    startBoot(pool, line);
}

/** An outdated VM goes when as many as should wait are up beside it. */
function dropReplaced(pool: PoolState, line: Line, target: number): void {
  const outdated = line.ready.filter((vm) => vm.outdated);
  const more = Math.max(0, line.ready.length - line.takers.length - target);
  for (const vm of outdated.slice(0, more)) dropReady(pool, line, vm, 'replaced');
}

/**
 * More VMs than may wait are left when builds give up; one more may be there while one replaces another. What
 * `startAhead` begins must not end here: it would begin again, without end.
 */
function letGo(pool: PoolState, targets: Map<Line, number>): void {
  for (let idle = idleOf(pool); idle > pool.max; idle = idleOf(pool)) {
    const over = [...targets].filter(([line, target]) => spare(line) > target);
    const replacing = over.filter(([line, target]) => spare(line) === target + 1 && isReplacing(line));
    const [line] = over.find((other) => !replacing.includes(other)) ?? replacing.at(-1) ?? [];
    if (!line || (over.length === replacing.length && idle === pool.max + 1)) return;
    const boot = [...line.boots].at(-1);
    const oldest = line.ready[0];
    if (boot) stopBoot(pool, line, boot);
    else if (oldest) dropReady(pool, line, oldest, 'surplus');
  }
}

function isReplacing({ ready, boots }: Line): boolean {
  return boots.size > 0 && ready.some((vm) => vm.outdated);
}

function forget({ lines, clock }: PoolState): void {
  for (const [name, line] of lines) {
    const empty = line.takers.length + line.boots.size + line.ready.length === 0;
    if (empty && line.least === 0 && line.forecast.isQuiet(clock.now())) lines.delete(name);
  }
}

/** Milliseconds until a breaker lets the next boot of a line begin that wants one; undefined when none waits for that. */
export function nextTryInMs(pool: PoolState): number | undefined {
  const targets = targetsOf(pool.lines.values(), pool.max, pool.clock.now());
  const waits = [...targets]
    .filter(
      ([line, target]) => line.breaker.state() === 'open' && (spare(line) < 0 || lacking(line, target) > 0),
    )
    .map(([line]) => line.breaker.retryInMs());
  return waits.length > 0 ? Math.min(...waits) : undefined;
}
