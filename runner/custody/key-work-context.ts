import type { Logger } from 'pino';
import type { ControlPlane } from '../build/control-plane.ts';
import type { Keyring } from './keyring.ts';

/** All that it takes to wrap keys anew and to rotate them. */
export interface KeyWorkContext {
  controlPlane: Pick<ControlPlane, 'request'>;
  keyring: Keyring;
  log: Pick<Logger, 'info' | 'warn'>;
}
