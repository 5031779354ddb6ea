import { pathToWire } from './attribute-path.ts';
import { type Diagnostic, DiagnosticError } from './diagnostic.ts';
import type { GrpcHandler } from './grpc-call.ts';
import type { Log } from './log.ts';
import { codecOf } from './protocol.ts';
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

/** One method that answers with many messages. */
export interface StreamingRpc<Request> {
  stream(request: Request): AsyncIterable<object>;
  attributes?(request: Request): Attributes | undefined;
  /** The message that carries the diagnostics of what was thrown. */
  failed(diagnostics: object[]): object;
}

/** Makes a gRPC handler that answers always: what is thrown becomes diagnostics, never a crash. */
export function handlerOf<Request>(
  name: string,
  rpc: Rpc<Request> | StreamingRpc<Request>,
  types: { request: string; response: string },
  { log, stop }: { log: Log; stop: AbortSignal },
): GrpcHandler {
  const requests = codecOf(types.request);
  const responses = codecOf(types.response);
  return async function* (bytes) {
    const started = performance.now();
    const request = requests.decode(bytes) as Request;
    try {
      if ('run' in rpc) yield responses.encode(await rpc.run(request));
      else for await (const message of rpc.stream(request)) yield responses.encode(message);
    } catch (error) {
      const diagnostics = diagnosticsOf(error, name, log, stop);
      const wire = diagnosticsToWire(diagnostics, rpc.attributes?.(request) ?? {});
      yield responses.encode(
        'run' in rpc ? { ...rpc.whenFailed?.(request), diagnostics: wire } : rpc.failed(wire),
      );
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

function diagnosticsOf(error: unknown, name: string, log: Log, stop: AbortSignal): readonly Diagnostic[] {
  if (error instanceof DiagnosticError) return error.diagnostics;
  if (stop.aborted && isAbort(error, stop)) {
    const detail =
      'Terraform was asked to stop before this was done. Run it again: what was begun is found and finished.';
    return [{ severity: 'error', summary: 'Interrupted', detail }];
  }
  const stack = error instanceof Error ? error.stack : String(error);
  log.error('unexpected error', { rpc: name, stack });
  const detail = `${name} failed unexpectedly. This is a bug in the provider; please report it with this text.\n\n${stack}`;
  return [{ severity: 'error', summary: 'The provider failed unexpectedly', detail }];
}

function isAbort(error: unknown, { reason }: AbortSignal): boolean {
  return error === reason || (error instanceof Error && error.name === 'AbortError');
}
