import { createRandom } from '../seeded-random.ts';

/** What chance decides in one request: it depends on the seed and the request's number alone. */
export function createChoices(seed: number, number: number) {
  const random = createRandom(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b));
  const below = (limit: number) => Math.floor(random() * limit);
  return {
    below,
    oneOf: <T>(list: readonly T[]): T => list[below(list.length)] as T,
    /** True in this part of all cases. */
    chance: (part: number) => random() < part,
  };
}

export type Choices = ReturnType<typeof createChoices>;
