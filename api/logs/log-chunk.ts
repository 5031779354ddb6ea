import { openBytes, sealBytes } from '../custody/aes-gcm.ts';

/** Where a chunk of a log belongs: `position` is the offset of its first byte in the log as it was written. */
export interface ChunkPlace {
  projectId: string;
  buildId: string;
  position: number;
}

// Bound to its place, a chunk that somebody moved in the database does not open.
const contextOf = ({ projectId, buildId, position }: ChunkPlace) =>
  `ebb log chunk ${projectId} ${buildId} ${position}`;

export function sealChunk(key: Uint8Array, plaintext: Uint8Array, place: ChunkPlace): Buffer {
  return sealBytes(key, plaintext, contextOf(place));
}

/** Throws when the chunk is not the one that was written at this place. */
export function openChunk(key: Uint8Array, sealed: Uint8Array, place: ChunkPlace): Buffer {
  try {
    return openBytes(key, sealed, contextOf(place));
  } catch {
    throw new Error(
      `The log of the build ${place.buildId} is damaged: what lies at ${place.position} was not written there.`,
    );
  }
}
