import { type AddressInfo, createServer } from 'node:net';
import { type ConnectionOptions, type ServedConnection, serveConnection } from './ssh-connection.ts';

const maxConnections = 128;

export interface SshServerOptions extends ConnectionOptions {
  bindAddress: string;
  /** 0 takes a free one. */
  port: number;
}

export interface SshServer {
  port: number;
  /** Cuts every connection that logged in with this key (raw blob in base64); resolves when its commands ended. */
  disconnect(key: string): Promise<void>;
  /** Stops listening, cuts all connections, and resolves when their commands have ended. */
  close(): Promise<void>;
}

/** Listens for SSH connections. Beyond 128 at a time, new ones are dropped. */
export async function startSshServer(options: SshServerOptions): Promise<SshServer> {
  const connections = new Set<ServedConnection>();
  const server = createServer({ noDelay: true }, (socket) => {
    const connection = serveConnection(socket, options);
    connections.add(connection);
    socket.once('close', () => connections.delete(connection));
  });
  server.maxConnections = maxConnections;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.bindAddress, resolve);
  });
  server.on('error', options.onError);
  return {
    port: (server.address() as AddressInfo).port,
    async disconnect(key) {
      await Promise.all([...connections].filter((open) => open.key === key).map((open) => open.cut()));
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      await Promise.all([...connections].map((open) => open.cut()));
      await closed;
    },
  };
}
