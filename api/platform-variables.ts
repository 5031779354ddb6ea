/** What platforms such as Heroku call the addresses of their add-ons. */
const platformNames: Record<string, string> = {
  EBB_DATABASE_URL: 'DATABASE_URL',
  EBB_REDIS_URL: 'REDIS_URL',
};

/**
 * Reads DATABASE_URL, REDIS_URL and PORT where the variables of Ebb's own are not set. With PORT the process listens on
 * every interface, since a router in front has to reach it.
 */
export function withPlatformVariables(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const absent = (name: string) => !environment[name] && !environment[`${name}_FILE`];
  const taken: NodeJS.ProcessEnv = {};
  for (const [name, platformName] of Object.entries(platformNames)) {
    if (absent(name) && environment[platformName]) taken[name] = environment[platformName];
  }
  if (absent('EBB_LISTEN') && environment.PORT) taken.EBB_LISTEN = `0.0.0.0:${environment.PORT}`;
  return { ...environment, ...taken };
}

/** The same problem under the name of the variable that the value was read from. */
export function underPlatformName(problem: string, environment: NodeJS.ProcessEnv): string {
  for (const [name, platformName] of [...Object.entries(platformNames), ['EBB_LISTEN', 'PORT'] as const]) {
    const wasRead = !environment[name] && !environment[`${name}_FILE`] && environment[platformName];
    if (wasRead && problem.startsWith(`${name} `))
      return `${platformName} (${name})${problem.slice(name.length)}`;
  }
  return problem;
}
