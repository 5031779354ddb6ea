import type { Database } from '../db/database.ts';

interface Lane {
  /** What is still to be read of each project, in the order in which projects have their turns. */
  waiting: Map<string, (() => Promise<void>)[]>;
  isBusy: boolean;
}

const lanes = new WeakMap<Database, Lane>();

/**
 * One part of a log at a time: many who read would else keep everybody's connections to the database busy with large answers.
 * Projects take turns, so that the readers of one wait for one another.
 */
export async function inTurn<T>(database: Database, projectId: string, read: () => Promise<T>): Promise<T> {
  const lane = lanes.get(database) ?? { waiting: new Map(), isBusy: false };
  lanes.set(database, lane);
  return await new Promise((resolve, reject) => {
    const queue = lane.waiting.get(projectId) ?? [];
    queue.push(() => read().then(resolve, reject));
    lane.waiting.set(projectId, queue);
    if (!lane.isBusy) void serve(lane);
  });
}

async function serve(lane: Lane): Promise<void> {
  lane.isBusy = true;
  for (;;) {
    const [next] = lane.waiting;
    if (!next) break;
    const [projectId, queue] = next;
    const read = queue.shift();
    lane.waiting.delete(projectId);
    if (queue.length > 0) lane.waiting.set(projectId, queue);
    await read?.();
  }
  lane.isBusy = false;
}
