export { AwsProvider } from './aws.ts';
export { Platform } from './platform.ts';
export { PlatformError, type PlatformProps } from './settings.ts';
