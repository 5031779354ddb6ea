import type { Project } from '../../contract/project.ts';
import { invalidField } from '../http/problem-error.ts';

// The image itself lies in memory and takes twice its size while it is unpacked.
const leastMemoryMib: Record<Project['image'], number> = { base: 640, node: 1536 };

/** Throws 422 when the memory cannot hold the image. */
export function checkImage({ image, memory_mib }: Pick<Project, 'image' | 'memory_mib'>): void {
  const least = leastMemoryMib[image];
  if (memory_mib >= least) return;
  throw invalidField(
    'memory_mib',
    `memory_mib is ${memory_mib}, but the image ${image} needs ${least}. Raise it, or use another image.`,
  );
}
