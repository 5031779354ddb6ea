import type { Logger } from 'pino';
import type { ControlPlane } from '../build/control-plane.ts';
import type { Keyring } from './keyring.ts';

/** All that it takes to wrap keys anew and to rotate them. */
export interface KeyWorkContext {
  controlPlane: Pick<ControlPlane, 'request'>;
  keyring: Keyring;
  log: Pick<Logger, 'info' | 'warn'>;
}

/** What this runner cannot unwrap needs another one or an operator: no reason to try it all the time. */
export const afterFailureMs = 5 * 60_000;
