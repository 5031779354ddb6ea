import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Stands between two parts of Ebb on loopback, and passes on what they say until it is told otherwise. */
export interface TcpProxy {
  port: number;
  /** Breaks all connections that there are. New ones are taken. */
  cut(): void;
  /** Holds back what comes for so long, in both directions; 0 ends that for what comes then. */
  delay(milliseconds: number): void;
  /** Leads to another port from now on, as the address of a managed server does after a failover; cuts all connections. */
  leadTo(port: number): void;
  /** Cuts all connections and takes no more. */
  close(): Promise<void>;
}

/** @param target port on loopback, where nobody need listen yet */
export async function startTcpProxy(target: number): Promise<TcpProxy> {
  const open = new Set<Socket>();
  let leadsTo = target;
  let delayMs = 0;
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ host: '127.0.0.1', port: leadsTo, allowHalfOpen: true });
    const pair = [client, upstream];
    const end = () => {
      for (const socket of pair) {
        open.delete(socket);
        socket.destroy();
      }
    };
    for (const socket of pair) {
      open.add(socket);
      socket.setNoDelay(true);
      socket.once('close', end);
      socket.on('error', end);
    }
    const hold = () => delayMs;
    Promise.all([carry(client, upstream, hold), carry(upstream, client, hold)]).then(end, end);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    for (const socket of open) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    delay(milliseconds) {
      delayMs = milliseconds;
    },
    leadTo(port) {
      leadsTo = port;
      cut();
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      cut();
      await closed;
    },
  };
}

async function carry(from: Socket, to: Socket, hold: () => number): Promise<void> {
  for await (const chunk of from) {
    if (hold() > 0) await sleep(hold());
    if (!to.write(chunk)) await once(to, 'drain');
  }
  to.end();
}
