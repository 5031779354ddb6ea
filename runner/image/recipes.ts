import { ImageError } from './image-error.ts';

/** What goes into an image of a build machine. The digest of an image covers every field. */
export interface Recipe {
  name: string;
  /** Raise it to build again with the newest packages of the same suite. */
  revision: number;
  suite: string;
  architecture: 'amd64';
  /** One-line apt sources, the first that has a package wins. */
  sources: string[];
  packages: string[];
  /** The package that depends on the newest kernel of its flavour. */
  kernelPackage: string;
  /** The package with systemd's boot stub. */
  stubPackage: string;
  /** In the order of loading; a module that the kernel has built in is skipped. No disk driver may stand here. */
  modules: string[];
  compression: 'none' | 'lz4';
  commandLine: string;
}

const mirror = 'http://deb.debian.org';

export const base: Recipe = {
  name: 'base',
  revision: 1,
  suite: 'bookworm',
  architecture: 'amd64',
  sources: [
    `deb ${mirror}/debian bookworm main`,
    `deb ${mirror}/debian bookworm-updates main`,
    `deb ${mirror}/debian-security bookworm-security main`,
  ],
  packages: [
    ...['openssh-server', 'openssh-client', 'git', 'ca-certificates', 'curl', 'jq', 'make'],
    ...['bash', 'coreutils', 'iproute2', 'procps', 'util-linux', 'kmod', 'busybox-static'],
  ],
  kernelPackage: 'linux-image-cloud-amd64',
  stubPackage: 'systemd-boot-efi',
  modules: [
    ...['virtio_ring', 'virtio', 'virtio_pci_legacy_dev', 'virtio_pci_modern_dev', 'virtio_pci'],
    ...['failover', 'net_failover', 'virtio_net', 'rng-core', 'virtio-rng', 'ena'],
  ],
  compression: 'none',
  commandLine: [
    'quiet panic=-1 reboot=t nomodeset tsc=reliable',
    // The cloud kernel has the NVMe driver built in: leaving modules out does not keep it away from disks.
    'initcall_blacklist=nvme_init',
    // Closes /dev/mem, PCI resources and unsigned modules even to root of the guest.
    'lockdown=confidentiality',
  ].join(' '),
};

const node: Recipe = { ...base, name: 'node', packages: [...base.packages, 'nodejs', 'npm'] };

/** All that ship. */
export const recipes = [base, node];

/** The recipe of that name. Throws an `ImageError` `unknown_recipe` when there is none. */
export function findRecipe(name: string): Recipe {
  const recipe = recipes.find((candidate) => candidate.name === name);
  if (recipe !== undefined) return recipe;
  const known = recipes.map((candidate) => candidate.name).join(', ');
  throw new ImageError('unknown_recipe', `There is no image ${JSON.stringify(name)}. There are: ${known}.`);
}
