type Fields = { readonly [name: string]: unknown };

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'off'] as const;
type Level = (typeof levels)[number];

export interface Log {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
}

/**
 * A log of JSON lines that Terraform understands on a plugin's standard error and shows by `TF_LOG`; what is below the
 * level is not written.
 *
 * @see https://github.com/hashicorp/go-hclog (JSON output)
 */
export function createLog(
  write: (line: string) => void,
  { level = 'trace', now = () => new Date() }: { level?: Level; now?: () => Date } = {},
): Log {
  const at = (name: Level) => {
    if (levels.indexOf(name) < levels.indexOf(level)) return () => {};
    return (message: string, fields?: Fields) => {
      const head = { '@level': name, '@message': message, '@module': 'provider' };
      // Go reads exactly six digits; a line with fewer is shown as it is, and as debug.
      const timestamp = now().toISOString().replace('Z', '000Z');
      write(`${JSON.stringify({ ...fields, ...head, '@timestamp': timestamp })}\n`);
    };
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/**
 * What of the log somebody will see: Terraform reads and drops the rest, for every call of every resource.
 *
 * @see https://developer.hashicorp.com/terraform/internals/debugging
 */
export function logLevel(environment: { readonly [name: string]: string | undefined }): Level {
  const { TF_LOG_PROVIDER, TF_LOG } = environment;
  const wanted = (TF_LOG_PROVIDER || TF_LOG || 'warn').toLowerCase();
  // `TF_LOG=json` is all there is, in another form; so is what Terraform does not know.
  return levels.find((level) => level === wanted) ?? 'trace';
}
