import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import ssh2 from 'ssh2';
import { readCpio } from '../../image/cpio-for-tests.ts';
import { publicKeyBlob } from '../../ssh/public-key-line.ts';
import { makeSshKeyPair } from '../openssh-private-key.ts';
import type { Instance } from './instance.ts';

export interface Guests {
  /** Where the guest of an instance is reached; undefined while it boots. */
  reach(instance: Instance): { host: string; port: number } | undefined;
  close(): Promise<void>;
}

/**
 * What would run inside of the emulator's instances: an SSH server each, with the identity that the instance was given
 * at launch, which changes its host key and takes heartbeats as the image does.
 */
export function createGuests(userData: (instance: string) => Promise<Buffer>): Guests {
  const ports = new Map<string, number | 'booting'>();
  const opened: { server: Server; sockets: Set<Socket> }[] = [];
  const boot = async (id: string) => {
    const guest = await startGuest(await userData(id));
    opened.push(guest);
    ports.set(id, (guest.server.address() as AddressInfo).port);
  };
  return {
    reach({ id }) {
      const port = ports.get(id);
      if (typeof port === 'number') return { host: '127.0.0.1', port };
      if (port === undefined) {
        ports.set(id, 'booting');
        boot(id).catch(() => ports.delete(id));
      }
      return undefined;
    },
    async close() {
      for (const { server, sockets } of opened) {
        server.close();
        for (const socket of sockets) socket.destroy();
      }
    },
  };
}

async function startGuest(userData: Buffer) {
  const files = readCpio(userData);
  const text = (name: string) => files.get(`ebb-identity/${name}`) ?? '';
  const authorized = publicKeyBlob(text('authorized_keys'));
  let hostKey: Buffer | string = text('ssh_host_ed25519_key');
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    // A server of its own for each connection, so that a new one shows the key of now.
    const ssh = new ssh2.Server({ hostKeys: [hostKey] }, (connection) => {
      connection.on('error', () => {});
      connection.on('authentication', (context) => {
        if (context.method === 'publickey' && context.key.data.equals(authorized)) context.accept();
        else context.reject(['publickey']);
      });
      connection.on('session', (accept) => {
        accept().on('exec', (acceptCommand, reject, { command }) => {
          if (command === '/usr/lib/ebb/heartbeat') return void acceptCommand().resume();
          if (command !== '/usr/lib/ebb/rekey') return reject();
          const fresh = makeSshKeyPair();
          hostKey = fresh.privateKey;
          const channel = acceptCommand();
          channel.write(`${fresh.publicLine}\n`);
          channel.exit(0);
          channel.end();
        });
      });
    });
    ssh.injectSocket(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, sockets };
}
