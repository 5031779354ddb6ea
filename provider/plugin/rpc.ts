import type { handleUnaryCall } from '@grpc/grpc-js';
import { pathToWire } from './attribute-path.ts';
import { type Diagnostic, DiagnosticError } from './diagnostic.ts';
import type { Log } from './log.ts';
import type { Attributes } from './schema.ts';

const severities = { error: 1, warning: 2 } as const;

/** One method of the protocol whose response carries diagnostics. */
export interface Rpc<Request> {
  run(request: Request): object | Promise<object>;
  /** The schema that paths of diagnostics are read with. */
  attributes?(request: Request): Attributes | undefined;
  /** What is answered beside the diagnostics when `run` threw. */
  whenFailed?(request: Request): object;
}

/** Makes a gRPC handler that answers always: what is thrown becomes diagnostics, never a crash. */
export function unary<Request>(name: string, rpc: Rpc<Request>, log: Log): handleUnaryCall<Request, object> {
  return async ({ request }, callback) => {
    const started = performance.now();
    try {
      callback(null, await rpc.run(request));
    } catch (error) {
      const diagnostics = diagnosticsOf(error, name, log);
      const wire = diagnosticsToWire(diagnostics, rpc.attributes?.(request) ?? {});
      callback(null, { ...rpc.whenFailed?.(request), diagnostics: wire });
    }
    log.debug('call served', { rpc: name, milliseconds: Math.round(performance.now() - started) });
  };
}

export function diagnosticsToWire(diagnostics: readonly Diagnostic[], attributes: Attributes): object[] {
  return diagnostics.map(({ severity, summary, detail, path }) => ({
    severity: severities[severity],
    summary,
    detail,
    attribute: path && pathToWire(path, attributes),
  }));
}

function diagnosticsOf(error: unknown, name: string, log: Log): readonly Diagnostic[] {
  if (error instanceof DiagnosticError) return error.diagnostics;
  const stack = error instanceof Error ? error.stack : String(error);
  log.error('unexpected error', { rpc: name, stack });
  const detail = `${name} failed unexpectedly. This is a bug in the provider; please report it with this text.\n\n${stack}`;
  return [{ severity: 'error', summary: 'The provider failed unexpectedly', detail }];
}
