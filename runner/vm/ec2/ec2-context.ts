import type { Ec2Api } from './ec2-api.ts';
import type { Instance } from './instance.ts';
import type { Places } from './places.ts';

/** All that the EC2 driver works with. */
export interface Ec2Context {
  api: Ec2Api;
  region: string;
  places: Places;
  /** Id and version of the launch template. */
  template: { id: string; version: string };
  /** AMI by recipe, for images other than the template's, which is `base`. */
  images?: Record<string, string>;
  /** Tag value that sets this installation's instances apart from all others of the account. */
  deployment: string;
  /** Unique among runners; instances are tagged with it. */
  runner: string;
  /** Where an instance's SSH server is reached; its private address in production. */
  reach(instance: Instance): { host: string; port: number } | undefined;
  /** How long an instance may take from launch to SSH. */
  bootTimeoutMs: number;
  /** How often is asked whether something changed. */
  pollMs: number;
}
