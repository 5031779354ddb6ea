/** The commands of projects in words of their VMs. What they print is the same everywhere; see `printedLine`. */
export interface Commands {
  /** Prints so many lines, slowly, and ends with the exit code. */
  print(name: string, lines: number, exitCode?: number): string;
  /** Writes into the ledger that it ran, then prints. */
  deploy(name: string, lines: number): string;
}

/** What the stand-in for a VM understands; see `image-programs.ts`. */
export const commandsOfStandIn: Commands = {
  print: (name, lines, exitCode = 0) => `print ${name} ${lines} ${exitCode}`,
  deploy: (name, lines) => `deploy ${name} ${lines} 0`,
};

/** What bash in a real VM understands; the ledger is a TCP port of the machine that the VM runs on. */
export function commandsOfVm(ledger: { host: string; port: number }): Commands {
  const print = (name: string, lines: number, exitCode = 0) =>
    `machine=$(cat /proc/sys/kernel/random/boot_id); for n in $(seq ${lines}); do echo "${name} $n/${lines} of $EBB_BUILD_ID on $machine"; sleep 0.2; done; exit ${exitCode}`;
  return {
    print,
    deploy: (name, lines) =>
      `echo "$EBB_BUILD_ID" > /dev/tcp/${ledger.host}/${ledger.port}; ${print(name, lines)}`,
  };
}

/** Name, number, count, build and machine. */
export const printedLine = /^(\w+) (\d+)\/(\d+) of (bld_\w+) on (\S+)$/;
