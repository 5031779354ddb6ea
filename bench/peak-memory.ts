import { readdirSync, readFileSync } from 'node:fs';

const everyMs = 20;

/** Watches processes whose command line has a text; `stop` gives the most memory that one of them ever had, in MB. */
export function watchPeakMemory(text: string): { stop(): number } {
  let peakKb = 0;
  const timer = setInterval(() => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text)) continue;
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        peakKb = Math.max(peakKb, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
      } catch {
        // It ended meanwhile.
      }
    }
  }, everyMs);
  return {
    stop() {
      clearInterval(timer);
      return peakKb / 1024;
    },
  };
}
