import { failure } from './diagnostic.ts';
import type { Log } from './log.ts';
import type { Provider } from './provider.ts';

/** One run of the provider under Terraform: what was configured, and whether to stop. */
export interface Session<Client> {
  provider: Provider<Client>;
  log: Log;
  /** Aborted by StopProvider. */
  stop: AbortController;
  /** The configured client; throws a diagnostic when Terraform did not configure the provider. */
  client(): Client;
  setClient(client: Client): void;
}

export function createSession<Client>(provider: Provider<Client>, log: Log): Session<Client> {
  let configured: { client: Client } | undefined;
  return {
    provider,
    log,
    stop: new AbortController(),
    client() {
      if (configured) return configured.client;
      throw failure(
        'The provider is not configured',
        'Terraform asked for a resource before ConfigureProvider.',
      );
    },
    setClient(client) {
      configured = { client };
    },
  };
}
