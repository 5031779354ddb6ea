import { Type } from 'typebox';
import { Problem, problemMediaType } from '../../contract/problem.ts';

/** How the reference tells of the answer of a route that starts a build, where the queue holds as many as it may. */
export const queueFullResponse = {
  503: {
    description: 'The code `queue_full`: as many builds wait as may. Nothing was made; try again later.',
    headers: {
      'retry-after': Type.Integer({ description: 'Seconds after which it may be worth trying again.' }),
    },
    content: { [problemMediaType]: { schema: Problem } },
  },
};
