import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface MetadataService {
  port: number;
  /** What was asked, such as `GET /latest/user-data 401`. */
  asked: string[];
  close(): Promise<void>;
}

/**
 * The instance metadata service as far as an image asks it: version 2 only, user data and nothing else.
 *
 * @see https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
 */
export async function startMetadataService(userData: Buffer): Promise<MetadataService> {
  const token = randomUUID();
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const answer = (status: number, body: string | Buffer) => {
      asked.push(`${request.method} ${request.url} ${status}`);
      response.writeHead(status).end(body);
    };
    if (request.method === 'PUT' && request.url === '/latest/api/token') {
      const seconds = Number(request.headers['x-aws-ec2-metadata-token-ttl-seconds']);
      return seconds >= 1 && seconds <= 21_600 ? answer(200, token) : answer(400, '');
    }
    if (request.headers['x-aws-ec2-metadata-token'] !== token) return answer(401, '');
    if (request.method === 'GET' && request.url === '/latest/user-data') return answer(200, userData);
    answer(404, '');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
