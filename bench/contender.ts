/** A queue that `bench:scheduler` measures, driven from one process with one way to do everything. */
export interface Contender {
  /** Adds builds with the numbers from `first` on, dealt out to the teams in turn. */
  enqueue(first: number, count: number, teams: number): Promise<void>;
  /** Gets ready to serve; `serve` then claims and finishes as many builds, in `slots` slots at once. */
  open(): Promise<{ serve(count: number): Promise<void>; stop(): Promise<void> }>;
  /** Begins to wait for work on an idle queue; each call of `wake` then adds a build and gives the ms until its claim. */
  idle(): Promise<{ wake(number: number): Promise<number>; stop(): Promise<void> }>;
  close(): Promise<void>;
}

/** How many builds are under way at once in each contender. */
export const slots = 200;

const projectsOfTeam = 2;

/** The ids of a build: as long as real ones, and the same for all contenders. */
export function idsOf(number: number, teams: number) {
  const team = number % teams;
  const project = team * projectsOfTeam + (Math.floor(number / teams) % projectsOfTeam);
  return { build: id(number, 'b'), project: id(project, 'c'), team: id(team, 'd') };
}

function id(number: number, kind: string): string {
  return `0197f3a2-7d1e-7${kind}00-8000-${number.toString(16).padStart(12, '0')}`;
}
