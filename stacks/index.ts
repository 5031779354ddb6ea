/** What programs that declare projects import. */
export * from './bindings/index.ts';
export { CiProjectError } from './check-ci-project.ts';
export { CiProject, type CiProjectProps, type CiSecret, type WriteOnlyValue } from './ci-project.ts';
export { EphemeralToken, type EphemeralTokenProps } from './ephemeral-token.ts';
export { EphemeralVariable } from './ephemeral-variable.ts';
