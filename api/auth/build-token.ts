import type { ApiContext } from '../context.ts';

/**
 * A token with which a runner reports on one attempt of a build, while it has the lease, and can do nothing else. It outlives the build's time limit by ten
 * minutes, and goes on while the project is being revoked, so that the end can be told.
 */
export async function issueBuildToken(
  context: ApiContext,
  build: {
    buildId: string;
    attempt: number;
    leaseHolder: string;
    projectId: string;
    teamId: string;
    keyId: string;
    timeoutSeconds: number;
  },
): Promise<string> {
  const claims = {
    sub: build.keyId,
    team: build.teamId,
    project: build.projectId,
    build: build.buildId,
    attempt: build.attempt,
    lease: build.leaseHolder,
    scope: 'runner',
  };
  return await context.tokens.sign(claims, build.timeoutSeconds + 600);
}
