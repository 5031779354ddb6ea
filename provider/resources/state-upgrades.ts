import type { ExactJson } from '../plugin/json-value.ts';

type Upgrade = (state: ExactJson) => ExactJson;

/**
 * By resource of the contract: how its state of each older version becomes one of the next, oldest first. Needed only
 * where an attribute has another meaning or type than before: what is new or gone needs none.
 */
const upgrades: { readonly [resource: string]: readonly Upgrade[] } = {
  deploy_key: [rotationToMap],
};

export function stateUpgrades(resource: string): readonly Upgrade[] {
  return upgrades[resource] ?? [];
}

/** A key was rotated at another word in `rotation`, before there was a map. */
function rotationToMap(state: ExactJson): ExactJson {
  if (typeof state !== 'object' || state === null || !('rotation' in state)) return state;
  const { rotation, ...rest } = state as { [name: string]: ExactJson };
  return {
    ...rest,
    made_by: 'ebb',
    rotate_when: rotation === null ? null : { rotation: rotation as string },
  };
}
