import { type Static, Type } from 'typebox';
import { buildStates } from './build.ts';

const Count = (description: string) => Type.Integer({ minimum: 0, description });
const Seconds = (description: string) => Type.Number({ description: `${description}, in seconds.` });

/**
 * GET /v1/operator/overview: how the machinery does, for who operates it. Numbers and ids of teams; no name and no
 * content of a team.
 */
export const OperatorOverview = Type.Object(
  {
    window_hours: Count('Over how many hours builds that are over are counted.'),
    builds: Type.Object(
      Object.fromEntries(buildStates.map((state) => [state, Count(`Builds in the state ${state}.`)])),
      { description: 'Builds under way, and those that ended within the window.' },
    ),
    queue: Type.Object({
      waiting: Count('Builds that wait for a runner.'),
      leased: Count('Builds that runners hold a lease of.'),
      expired: Count('Leases that ran out and were not taken back yet.'),
    }),
    vms: Count('VMs that builds were given and that nobody saw end yet.'),
    teams: Type.Array(
      Type.Object({
        team_id: Type.String(),
        builds: Count('Builds that ended within the window.'),
        duration_p50: Seconds('Median time from start to end'),
        duration_p95: Seconds('The time that 95 of 100 builds ended within'),
        wait_p50: Seconds('Median time from acceptance to start'),
        wait_p95: Seconds('The time that 95 of 100 builds were started within'),
      }),
    ),
  },
  { additionalProperties: false },
);
export type OperatorOverview = Static<typeof OperatorOverview>;
