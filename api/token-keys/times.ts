import { longestLifetimeSeconds } from '../auth/token-life.ts';

/** How long whoever verifies tokens may keep the published keys, by the headers that they come with. */
export const publicKeysKeptSeconds = 5 * 60;

/**
 * How long a key is published before it signs: for as long as the keys of before are kept anywhere, and as much again for
 * clocks that differ.
 */
export const publishedAheadSeconds = 2 * publicKeysKeptSeconds;

/** How long a key stays after its last signature: until the last token has expired, and an hour for clocks that differ. */
export const keptAfterSeconds = longestLifetimeSeconds + 3_600;

/** How long the private half stays after the next key took over: for a process whose clock is behind. */
export const privateHalfKeptSeconds = 15 * 60;

/** At this age a key gets a successor without anybody asking. */
export const oldAfterSeconds = 30 * 24 * 3_600;
