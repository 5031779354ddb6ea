import type { Vm } from './driver.ts';

/** The VMs that a driver has to end when it closes; one that was released is not among them. */
export interface KeptVms {
  /** Keeps a VM until it is gone; gives it, so that its release lets it go. */
  keep(vm: Vm): Vm;
  has(id: string): boolean;
  destroyAll(): Promise<void>;
}

export function createKeptVms(): KeptVms {
  // By object: two of them may be of one VM, of a build that a runner lost and took over from itself.
  const kept = new Set<Vm>();
  return {
    keep(vm) {
      kept.add(vm);
      void vm.exited.then(() => kept.delete(vm));
      const release = async () => {
        kept.delete(vm);
        await vm.release?.();
      };
      return { ...vm, release };
    },
    has: (id) => [...kept].some((vm) => vm.id === id),
    destroyAll: async () => void (await Promise.all([...kept].map((vm) => vm.destroy()))),
  };
}
