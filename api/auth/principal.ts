import type { Scope } from '../../contract/token.ts';

/** Who asks, from a verified token. */
export interface Principal {
  keyId: string;
  /** Of the token itself, its `jti`. */
  tokenId?: string;
  /** The token is good only as long as it is renewed. */
  isRenewed?: true;
  teamId: string;
  scopes: Scope[];
  /** The token is good for this project only. */
  projectId?: string;
  /** The token is a runner's, for this build only. */
  buildId?: string;
  /** Of that build, the attempt that the token was made for. */
  attempt?: number;
  /** And the name of the lease. */
  leaseHolder?: string;
}

declare module 'fastify' {
  interface FastifyRequest {
    principal: Principal;
  }
}
