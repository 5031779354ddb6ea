import { readFile } from 'node:fs/promises';

/** What a process holds: in memory, and on the heap after a collection; MB. */
export interface Memory {
  rss: number;
  heap: number;
}

/** Watches the memory of a process that was started with `--inspect` at this port of loopback. */
export async function watchMemory(pid: number, port: number) {
  const [target] = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as {
    webSocketDebuggerUrl: string;
  }[];
  const socket = new WebSocket(target?.webSocketDebuggerUrl ?? '');
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve);
    socket.addEventListener('error', () => reject(new Error(`Nothing can be inspected at port ${port}.`)));
  });
  let calls = 0;
  const answers = new Map<number, (result: { usedSize: number }) => void>();
  socket.addEventListener('message', ({ data }) => {
    const { id, result } = JSON.parse(String(data));
    answers.get(id)?.(result);
    answers.delete(id);
  });
  const call = (method: string) =>
    new Promise<{ usedSize: number }>((resolve) => {
      calls += 1;
      answers.set(calls, resolve);
      socket.send(JSON.stringify({ id: calls, method }));
    });
  return {
    async look(): Promise<Memory> {
      await call('HeapProfiler.collectGarbage');
      const { usedSize } = await call('Runtime.getHeapUsage');
      const status = await readFile(`/proc/${pid}/status`, 'utf8');
      return { rss: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024, heap: usedSize / 1024 / 1024 };
    },
    close: () => socket.close(),
  };
}
