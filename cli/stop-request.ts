/**
 * Turns signals into AbortSignals: the first SIGTERM or SIGINT asks to finish what is under way (`stop`). After that
 * SIGTERM asks to hand it over (`handOver`), where somebody else can go on with it, and SIGINT, or a third SIGTERM, to end
 * now (`kill`). A parent that goes away without a word means now, so that no child outlives it.
 */
export function onStopRequest(): { stop: AbortSignal; handOver: AbortSignal; kill: AbortSignal } {
  const stop = new AbortController();
  const handOver = new AbortController();
  const kill = new AbortController();
  const asked = new Error('The process was asked to stop.');
  process.on('SIGTERM', () => [stop, handOver, kill].find(({ signal }) => !signal.aborted)?.abort(asked));
  process.on('SIGINT', () => (stop.signal.aborted ? kill : stop).abort(asked));
  process.on('disconnect', () => {
    stop.abort(new Error('The parent process is gone.'));
    kill.abort(new Error('The parent process is gone.'));
  });
  return { stop: stop.signal, handOver: handOver.signal, kill: kill.signal };
}
