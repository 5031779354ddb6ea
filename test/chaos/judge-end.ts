import type { BuildState } from '../../contract/build.ts';
import type { Inflicted } from './cause-chaos.ts';
import type { Transition } from './history.ts';
import type { Fault } from './plan.ts';

/** A build that is over, with all that is known of why. */
export interface EndedBuild {
  id: string;
  state: BuildState | undefined;
  reason: string | null;
  /** Why each attempt but the last was lost. */
  losses: string[];
  past: Transition[];
  /** How often its deployment ran. */
  deployments: number;
  project: { fails: boolean; deploys: boolean };
  /** Whether somebody wanted that. */
  cancelled: boolean;
}

const maxAttempts = 3;
const givenUp = /^Lost on each of 3 VMs: .* 3\. (?<why>.*) Given up after 3 attempts\./s;
const lostInDeployment = /^(?<why>.*) This happened during the deployment, which Ebb never runs twice\./s;

// The API has the projects' source host in it; a runner tries that one for about a minute.
const sourceIsAway = /^The source host \S+ (could not be reached from the VM\.|broke the connection off )/;

const network: Fault['kind'][] = ['cut', 'delay'];
const toRunners: Fault['kind'][] = ['kill_runner', 'replace_runner', 'freeze_runner'];
const toRedis: Fault['kind'][] = ['kill_redis', ...network];

/** Why an attempt may be lost, and what must have gone wrong before. */
const causes: { reason: RegExp; faults: Fault['kind'][] }[] = [
  { reason: /^The runner of this build is gone\.$/, faults: [...toRunners, ...toRedis, 'kill_api'] },
  {
    reason: /^The runner of this build is gone, and its VM could not be taken over/,
    faults: [...toRunners, ...toRedis, 'kill_vm'],
  },
  { reason: /^The runner stop/, faults: ['replace_runner'] },
  { reason: /^The runner lost its lease/, faults: ['freeze_runner', ...toRedis] },
  { reason: /^The VM was lost/, faults: ['kill_vm', 'freeze_runner', ...network] },
  { reason: /^No VM could be started/, faults: ['kill_vm', 'freeze_runner', ...network] },
  { reason: /^The VM of this build is gone\.$/, faults: ['kill_vm', 'freeze_runner', ...network] },
  { reason: sourceIsAway, faults: ['kill_api', 'kill_postgres', 'kill_redis'] },
  // Who was frozen may have thrown the next runner off its command, or been thrown off by it.
  { reason: /^A command was lost from sight/, faults: ['kill_vm', 'freeze_runner', ...toRedis] },
];

// What goes wrong is felt for so long: leases and heartbeats run out by then.
const feltForMs = 60_000;

/**
 * What is wrong with the end of a build, as sentences. It ends as its commands do; nobody's take so long that time runs
 * out, and who did not cancel is not cancelled. It may end `errored` only when it was lost three times, in its
 * deployment, or for want of its source host, and each loss must have a cause among the faults that came to pass. Pure.
 */
export function judgeEnd(build: EndedBuild, inflicted: Inflicted[]): string[] {
  const { id, state, reason, project, cancelled } = build;
  const lost = state === 'errored' ? lastLoss(build) : undefined;
  const may = [
    project.fails ? 'failed' : 'passed',
    ...(cancelled ? ['cancelled'] : []),
    ...(lost === undefined ? [] : ['errored']),
  ];
  const losses = [...build.losses, ...(lost === undefined ? [] : [lost])];
  return [
    ...(may.includes(state ?? '')
      ? []
      : [`${id} ended ${state} (${reason}), but may end ${may.join(', ')} only`]),
    ...losses.flatMap((why, index) => judgeLoss(build, index + 1, why, inflicted)),
    ...judgeDeployments(build),
  ];
}

/** Why the last attempt of a build was lost, where that may end it. */
function lastLoss({ reason, past, project, deployments }: EndedBuild): string | undefined {
  if (reason !== null && sourceIsAway.test(reason)) return reason;
  if (past.at(-1)?.attempt === maxAttempts) {
    const why = givenUp.exec(reason ?? '')?.groups?.why;
    if (why !== undefined) return why;
  }
  // Its beginning was told to the API before the command was to run, so that it need not have run.
  if (!project.deploys || deployments > 1) return undefined;
  return lostInDeployment.exec(reason ?? '')?.groups?.why;
}

function judgeLoss({ id, past }: EndedBuild, attempt: number, why: string, inflicted: Inflicted[]): string[] {
  const [begun, over] = timesOf(past, attempt);
  const explains = causes.filter(({ reason }) => reason.test(why)).flatMap(({ faults }) => faults);
  const found = inflicted.some(
    ({ fault, from, to }) => explains.includes(fault.kind) && from <= over && to + feltForMs >= begun,
  );
  return found
    ? []
    : [`attempt ${attempt} of ${id} was lost, and nothing that went wrong explains it: ${why}`];
}

/** When the attempt was claimed, and when it was given up. */
function timesOf(past: Transition[], attempt: number): [number, number] {
  const index = past.findIndex((step) => step.state === 'starting' && step.attempt === attempt);
  const after = past.slice(index + 1).find(({ state }) => state !== 'starting' && state !== 'running');
  return [past[index]?.at ?? 0, after?.at ?? Number.POSITIVE_INFINITY];
}

function judgeDeployments({ id, state, project, deployments }: EndedBuild): string[] {
  if (deployments > 1) return [`${id} deployed ${deployments} times`];
  if (!project.deploys && deployments > 0) return [`${id} deployed, and its project does not`];
  if (project.deploys && state === 'passed' && deployments !== 1)
    return [`${id} passed without its deployment`];
  return [];
}
