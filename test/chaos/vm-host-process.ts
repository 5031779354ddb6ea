import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { ProcessIdentity } from '../../contract/process-identity.ts';
import { type StandInLaunch, VmHost } from './vm-host.ts';

/* A process that runs stand-ins for VMs for runners and for the test, by HTTP on loopback. It says its port over IPC. */

const host = new VmHost(process.argv[2] ?? '');

const calls: Record<string, (request: IncomingMessage, id: string) => unknown> = {
  launch: async (request) => host.launch((await json(request)) as StandInLaunch),
  gone: (_, id) => host.gone(id),
  share: async (request, id) => host.share(id, (await json(request)) as ProcessIdentity),
  adopt: async (request, id) => host.adopt(id, (await json(request)) as ProcessIdentity),
  destroy: async (request, id) => host.destroy(id, (await json(request)) as ProcessIdentity),
  reap: () => host.reap(),
  census: () => host.census(),
  kill: (_, part) => host.cutPower(Number(part)),
  cut: () => host.cutConnections(),
  delay: (_, milliseconds) => host.delayConnections(Number(milliseconds)),
};

const server = createServer((request, response) => {
  const [, call = '', argument = ''] = (request.url ?? '').split('/');
  // A connection that is kept could close just as it is used again.
  response.setHeader('connection', 'close');
  // Who asks may be killed while it asks.
  Promise.resolve(calls[call]?.(request, argument)).then(
    (answer) => response.end(JSON.stringify(answer ?? null)),
    () => response.destroy(),
  );
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
process.send?.({ port: (server.address() as AddressInfo).port });
process.once('disconnect', () => process.exit());
