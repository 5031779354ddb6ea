import type { SourceHost } from '../source-host.ts';
import type { HostKind } from '../source-hosts.ts';
import { parseLocalWebhook } from './webhook.ts';

/** The built-in host as one of the kinds. There is one of it, whatever the connection. */
export function localKind(host: SourceHost): HostKind {
  return {
    events: ['push'],
    publishesHostKeys: true,
    parseWebhook: parseLocalWebhook,
    settingsPage: () => null,
    open: () => host,
  };
}
