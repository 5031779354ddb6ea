import { VmError } from '../driver.ts';

/**
 * What an error of EC2 means for a launch.
 * - `capacity`: not here and now; another instance type or subnet may do.
 * - `quota`: the account may not have more; waiting for others to end may help.
 * - `throttled`: too many calls; the same call later.
 * - `unanswered`: no answer or a broken one; the call may or may not have been carried out.
 * - `credentials`, `permission`, `setting`: somebody must change something; trying again does not help.
 * - `gone`: the instance that was asked about is not there.
 */
export type Ec2ErrorKind =
  | 'capacity'
  | 'quota'
  | 'throttled'
  | 'unanswered'
  | 'credentials'
  | 'permission'
  | 'setting'
  | 'gone';

/** @see https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html */
const kinds: Record<string, Ec2ErrorKind> = {
  InsufficientInstanceCapacity: 'capacity',
  InsufficientHostCapacity: 'capacity',
  InsufficientReservedInstanceCapacity: 'capacity',
  InsufficientFreeAddressesInSubnet: 'capacity',
  InsufficientCapacity: 'capacity',
  Unsupported: 'capacity',
  SpotMaxPriceTooLow: 'capacity',
  InstanceLimitExceeded: 'quota',
  VcpuLimitExceeded: 'quota',
  MaxSpotInstanceCountExceeded: 'quota',
  NetworkInterfaceLimitExceeded: 'quota',
  RequestLimitExceeded: 'throttled',
  Throttling: 'throttled',
  ThrottlingException: 'throttled',
  BandwidthLimitExceeded: 'throttled',
  AuthFailure: 'credentials',
  ExpiredToken: 'credentials',
  ExpiredTokenException: 'credentials',
  RequestExpired: 'credentials',
  InvalidClientTokenId: 'credentials',
  UnrecognizedClientException: 'credentials',
  CredentialsProviderError: 'credentials',
  SignatureDoesNotMatch: 'credentials',
  OptInRequired: 'credentials',
  UnauthorizedOperation: 'permission',
  AccessDenied: 'permission',
  AccessDeniedException: 'permission',
  'InvalidInstanceID.NotFound': 'gone',
  'InvalidInstanceID.Malformed': 'gone',
  IncorrectInstanceState: 'gone',
};

const fixes: Partial<Record<Ec2ErrorKind, string>> = {
  quota: 'Ask AWS for a higher limit, or let fewer builds run at once.',
  credentials: "Check the runner's AWS credentials, and its clock.",
  permission: "Allow it to the runner's role; the platform stack's policy shows how.",
};

/** An answer of EC2 that a launch cannot go on with. The message names the call, what EC2 said, and the fix. */
export class Ec2Error extends VmError {
  override name = 'Ec2Error';
  readonly kind: Ec2ErrorKind;

  constructor(kind: Ec2ErrorKind, message: string, options?: ErrorOptions) {
    super(kind === 'setting' ? 'setting' : 'boot_failed', message, options);
    this.kind = kind;
  }
}

/**
 * Says what went wrong in a call.
 *
 * @param settings names of EC2's parameters that come from our configuration, to the variable that sets them
 */
export function toEc2Error(call: string, error: unknown, settings: Record<string, string> = {}): Ec2Error {
  if (error instanceof Ec2Error) return error;
  const { name = '', message = String(error) } = error as Error;
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
  const kind = kindOf(name, status);
  const setting = Object.entries(settings).find(([word]) => `${name} ${message}`.includes(word))?.[1];
  const said = `EC2 ${call}: ${name || 'no answer'}: ${firstLine(message)}`;
  const fix =
    kind === 'setting' && setting
      ? `Check ${setting}.`
      : (fixes[kind] ?? (kind === 'setting' ? 'Check the launch template and the EBB_EC2_ variables.' : ''));
  return new Ec2Error(kind, [said, fix].filter(Boolean).join(' '), { cause: error });
}

function kindOf(name: string, status: number | undefined): Ec2ErrorKind {
  const known = kinds[name];
  if (known) return known;
  // A refusal that is not in the table is about what was asked for; anything else may have been carried out.
  return status !== undefined && status >= 400 && status < 500 ? 'setting' : 'unanswered';
}

function firstLine(text: string): string {
  return (text.split('\n', 1)[0] ?? '').slice(0, 300);
}
