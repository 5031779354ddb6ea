import type { Logger } from 'pino';
import type { VmDriver } from '../driver.ts';
import { createEc2Api } from './ec2-api.ts';
import { createEc2Driver, type Ec2DriverOptions } from './ec2-driver.ts';
import { createPlaces, type Market } from './places.ts';
import { preflight } from './preflight.ts';

export interface Ec2Settings {
  region: string;
  /** Only for emulators. */
  endpoint: string | undefined;
  /** Launch template as `lt-…` or `lt-…:version`; its default version when none is named. */
  launchTemplate: string;
  instanceTypes: string[];
  subnets: string[];
  market: Market;
  /** AMI by recipe, for images other than the launch template's. */
  images?: Record<string, string>;
  deployment: string;
  runner: string;
}

const preflightTimeoutMs = 60_000;
const bootTimeoutMs = 180_000;
const graceMs = 120_000;

/** Opens the EC2 driver once the account has passed the preflight. Throws PreflightError, Ec2Error. */
export async function openEc2Driver(
  settings: Ec2Settings,
  surroundings: {
    isAlive(runner: string): Promise<boolean>;
    log: Logger;
    signal: AbortSignal;
    /** For emulators, whose instances are reached otherwise. */
    reach?: Ec2DriverOptions['reach'];
  },
): Promise<VmDriver> {
  const { region, endpoint, instanceTypes, subnets, market } = settings;
  const { log, isAlive } = surroundings;
  const api = createEc2Api({ region, ...(endpoint ? { endpoint } : {}) });
  const signal = AbortSignal.any([surroundings.signal, AbortSignal.timeout(preflightTimeoutMs)]);
  const [id = '', version = '$Default'] = settings.launchTemplate.split(':');
  try {
    const known = await api.instanceTypes(instanceTypes, signal);
    const options: Ec2DriverOptions = {
      api,
      region,
      places: createPlaces({ instanceTypes: known, subnets, market }),
      template: { id, version },
      images: settings.images ?? {},
      deployment: settings.deployment,
      runner: settings.runner,
      reach: surroundings.reach ?? (({ privateAddress: host }) => (host ? { host, port: 22 } : undefined)),
      bootTimeoutMs,
      pollMs: 500,
      endPatienceMs: 120_000,
      graceMs,
      isAlive,
      onWarning: (message) => log.warn(message),
    };
    const first = { instanceType: instanceTypes[0] ?? '', subnet: subnets[0] ?? '', spot: false };
    await preflight(options, { instanceTypes, first }, signal);
    return createEc2Driver(options);
  } catch (error) {
    api.close();
    throw error;
  }
}
