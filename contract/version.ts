import manifest from '../package.json' with { type: 'json' };

/** Version of Ebb's API, runner and command line, which are released as one. */
export const { version } = manifest;
