/**
 * Turns signals into AbortSignals: the first SIGTERM or SIGINT asks to finish what is under way (`stop`), the second
 * one to end now (`kill`). A parent that goes away without a word means now, so that no child outlives it.
 */
export function onStopRequest(): { stop: AbortSignal; kill: AbortSignal } {
  const stop = new AbortController();
  const kill = new AbortController();
  const ask = () => (stop.signal.aborted ? kill : stop).abort(new Error('The process was asked to stop.'));
  process.on('SIGTERM', ask);
  process.on('SIGINT', ask);
  process.on('disconnect', () => {
    stop.abort(new Error('The parent process is gone.'));
    kill.abort(new Error('The parent process is gone.'));
  });
  return { stop: stop.signal, kill: kill.signal };
}
