interface Times {
  signs_from: Date;
  sealed_private_key: unknown;
}

/**
 * The key that signs at a moment: the last one whose time has come, or the first of all where a clock is behind. Every
 * process finds the same one by itself. `keys` are in the order in which they sign. Pure.
 */
export function keyAtWork<K extends Times>(keys: readonly K[], now: Date): K | undefined {
  const able = keys.filter((key) => key.sealed_private_key !== null);
  return able.findLast((key) => key.signs_from <= now) ?? able[0];
}
