type Fields = { readonly [name: string]: unknown };

export interface Log {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
}

/**
 * A log of JSON lines that Terraform understands on a plugin's standard error and shows by `TF_LOG`.
 *
 * @see https://github.com/hashicorp/go-hclog (JSON output)
 */
export function createLog(write: (line: string) => void, now: () => Date = () => new Date()): Log {
  const at = (level: string) => (message: string, fields?: Fields) => {
    const head = { '@level': level, '@message': message, '@module': 'provider' };
    write(`${JSON.stringify({ ...fields, ...head, '@timestamp': now().toISOString() })}\n`);
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
