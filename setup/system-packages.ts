import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** What only tests, measured boot or a benchmark's peer need is not asked of somebody who runs the demo. */
type Use = 'run' | 'measured' | 'test' | 'bench';

interface Tool {
  /** Any of these programs, or files by their full path, will do. */
  programs: string[];
  use: Use;
  /** Root does without it. */
  rootless?: boolean;
  /** Package by distribution; null where there is none. */
  debian: string | null;
  fedora: string | null;
  macos: string | null;
}

/** Services that come with packages. */
const services = new Map([
  ['redis-server', 'redis-server.service'],
  ['postgresql', 'postgresql.service'],
]);

const tools: Tool[] = [
  { programs: ['git'], use: 'run', debian: 'git', fedora: 'git', macos: 'git' },
  { programs: ['ssh'], use: 'run', debian: 'openssh-client', fedora: 'openssh-clients', macos: 'openssh' },
  { programs: ['redis-server'], use: 'run', debian: 'redis-server', fedora: 'redis', macos: 'redis' },
  {
    programs: ['qemu-system-x86_64'],
    use: 'run',
    debian: 'qemu-system-x86',
    fedora: 'qemu-system-x86-core',
    macos: 'qemu',
  },
  { programs: ['mmdebstrap'], use: 'run', debian: 'mmdebstrap', fedora: 'mmdebstrap', macos: null },
  { programs: ['dpkg-deb'], use: 'run', debian: 'dpkg', fedora: 'dpkg', macos: 'dpkg' },
  {
    programs: ['/usr/share/keyrings/debian-archive-keyring.gpg'],
    use: 'run',
    debian: 'debian-archive-keyring',
    fedora: 'debian-keyring',
    macos: null,
  },
  {
    programs: ['newuidmap'],
    use: 'run',
    // mmdebstrap works with it where it is not run by root.
    rootless: true,
    debian: 'uidmap',
    fedora: 'shadow-utils',
    macos: null,
  },
  { programs: ['cpio'], use: 'run', debian: 'cpio', fedora: 'cpio', macos: 'cpio' },
  { programs: ['lz4'], use: 'run', debian: 'lz4', fedora: 'lz4', macos: 'lz4' },
  { programs: ['terraform', 'tofu'], use: 'run', debian: null, fedora: 'opentofu', macos: 'opentofu' },
  {
    programs: ['mkfs.vfat'],
    use: 'test',
    debian: 'dosfstools',
    fedora: 'dosfstools',
    macos: 'dosfstools',
  },
  { programs: ['mcopy'], use: 'test', debian: 'mtools', fedora: 'mtools', macos: 'mtools' },
  { programs: ['sfdisk'], use: 'test', debian: 'fdisk', fedora: 'util-linux', macos: null },
  {
    programs: ['/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/edk2/ovmf/OVMF_CODE.fd'],
    use: 'test',
    debian: 'ovmf',
    fedora: 'edk2-ovmf',
    macos: null,
  },
  { programs: ['/usr/share/ovmf/OVMF.fd'], use: 'measured', debian: 'ovmf', fedora: null, macos: null },
  { programs: ['swtpm'], use: 'measured', debian: 'swtpm', fedora: 'swtpm', macos: 'swtpm' },
  { programs: ['tpm2'], use: 'test', debian: 'tpm2-tools', fedora: 'tpm2-tools', macos: null },
  { programs: ['pesign'], use: 'test', debian: 'pesign', fedora: 'pesign', macos: null },
  {
    programs: ['/usr/lib/systemd/systemd-measure'],
    use: 'test',
    debian: 'systemd',
    fedora: 'systemd',
    macos: null,
  },
  { programs: ['sshd'], use: 'test', debian: 'openssh-server', fedora: 'openssh-server', macos: 'openssh' },
  {
    programs: ['initdb'],
    use: 'test',
    debian: 'postgresql',
    fedora: 'postgresql-server',
    macos: 'postgresql',
  },
  { programs: ['autopkgtest-virt-qemu'], use: 'bench', debian: 'autopkgtest', fedora: null, macos: null },
  { programs: ['qemu-img'], use: 'bench', debian: 'qemu-utils', fedora: 'qemu-img', macos: 'qemu' },
  { programs: ['mke2fs'], use: 'bench', debian: 'e2fsprogs', fedora: 'e2fsprogs', macos: 'e2fsprogs' },
  { programs: ['fakeroot'], use: 'bench', debian: 'fakeroot', fedora: 'fakeroot', macos: null },
];

/** Installs by apt what is missing, where that is allowed; else says all of it at once. False when something is missing. */
export async function installMissing(uses: readonly Use[]): Promise<boolean> {
  const isRoot = process.getuid?.() === 0;
  const wanted = tools.filter((tool) => uses.includes(tool.use) && !(tool.rootless && isRoot));
  const absent = () => wanted.filter((tool) => !tool.programs.some(isInstalled));
  const installable = absent().flatMap((tool) => tool.debian ?? []);
  const privilege = aptPrivilege();
  if (installable.length > 0 && privilege) aptInstall(privilege, installable);
  const missing = absent();
  if (missing.length > 0) console.error(explain(missing));
  return missing.length === 0;
}

/** Whether a program is on the PATH or where distributions keep it, or a file is at its path. */
export function isInstalled(program: string): boolean {
  if (program.startsWith('/')) return existsSync(program);
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', ...postgresFolders()];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Debian keeps PostgreSQL's programs off the PATH, one folder a version. */
function postgresFolders(): string[] {
  const root = '/usr/lib/postgresql';
  return existsSync(root) ? readdirSync(root).map((version) => join(root, version, 'bin')) : [];
}

/** The words before `apt-get` that make it work without a question; undefined when nothing does. */
function aptPrivilege(): string[] | undefined {
  if (!isInstalled('apt-get')) return undefined;
  if (process.getuid?.() === 0) return [];
  const sudo = spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' });
  return sudo.status === 0 ? ['sudo', '-n'] : undefined;
}

function aptInstall(privilege: string[], packages: string[]): void {
  console.log(`ebb: installing ${packages.join(', ')} by apt-get`);
  const apt = (...words: string[]) => {
    const [program = 'apt-get', ...rest] = [
      ...privilege,
      'env',
      'DEBIAN_FRONTEND=noninteractive',
      'apt-get',
      ...words,
    ];
    return spawnSync(program, rest, { stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
  };
  const install = () => apt('install', '-y', '-q', '--no-install-recommends', ...packages);
  // The list of packages may be missing or old, which shows only when installing fails.
  if (!install()) apt('update', '-q') && install();
  // Debian starts what it installs; Ebb starts servers of its own, and these would listen for nobody.
  const idle = packages.filter((name) => services.has(name)).map((name) => services.get(name) ?? name);
  if (idle.length > 0 && isInstalled('systemctl')) {
    const [program = 'systemctl', ...rest] = [
      ...privilege,
      'systemctl',
      'disable',
      '--now',
      '--quiet',
      ...idle,
    ];
    spawnSync(program, rest, { stdio: 'ignore' });
  }
}

function explain(missing: Tool[]): string {
  const line = (command: string, packages: (string | null)[]) => {
    const names = packages.filter((name) => name !== null);
    return names.length === 0 ? 'nothing that its packages have' : `${command} ${names.join(' ')}`;
  };
  const others = missing.some((tool) => tool.programs.includes('terraform'))
    ? ['  Terraform on Debian: https://developer.hashicorp.com/terraform/install']
    : [];
  return [
    `ebb: missing: ${missing.map((tool) => tool.programs.join(' or ')).join(', ')}. Install them and try again:`,
    `  Debian, Ubuntu: ${line(
      'sudo apt-get install',
      missing.map((tool) => tool.debian),
    )}`,
    `  Fedora:         ${line(
      'sudo dnf install',
      missing.map((tool) => tool.fedora),
    )}`,
    `  macOS:          ${line(
      'brew install',
      missing.map((tool) => tool.macos),
    )}`,
    ...others,
  ].join('\n');
}
