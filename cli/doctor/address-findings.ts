import type { ApiConfiguration } from '../../api/configuration.ts';
import { splitHostPort } from '../../api/configuration-problems.ts';
import { isLoopback } from '../../contract/transport-security.ts';
import { certificateFindings } from './certificate-findings.ts';
import type { Finding } from './finding.ts';

/** How people and source hosts reach the API. */
export function addressFindings(configuration: ApiConfiguration, now: Date): Finding[] {
  const { EBB_PUBLIC_URL: url, EBB_TLS_CERT: certificate } = configuration;
  const { protocol, hostname } = new URL(url);
  return [
    ...(protocol === 'http:' && !isLoopback(hostname) ? [plainText(hostname)] : []),
    ...routerFindings(configuration),
    ...(certificate ? [] : proxyFindings(configuration)),
    ...(certificate ? certificateFindings(certificate, hostname, now) : []),
  ];
}

const plainText = (hostname: string): Finding => ({
  ...{ code: 'public_url_is_http', severity: 'high' },
  what: `EBB_PUBLIC_URL is http://${hostname}…, without TLS.`,
  why: 'API keys, tokens and the secrets of hooks pass there; whoever is in the network reads and uses them.',
  fix: 'Set EBB_PUBLIC_URL to https://…, and EBB_TLS_CERT and EBB_TLS_KEY, or end TLS in a router (EBB_BEHIND_TLS_ROUTER=true).',
});

/** Whether only the router reaches the port cannot be seen from here. */
function routerFindings({ EBB_BEHIND_TLS_ROUTER: routed, EBB_LISTEN: listen }: ApiConfiguration): Finding[] {
  if (!routed || isLoopback(splitHostPort(listen).host)) return [];
  return [
    {
      ...{ code: 'router_is_trusted', severity: 'low' },
      what: `The API listens on ${listen} and believes what X-Forwarded-For and -Proto say.`,
      why: 'Who reaches that port without the router speaks plain text and chooses the address that limits and audit see.',
      fix: 'Let the network take connections to that port from the router alone.',
    },
  ];
}

/** People use another address than this machine's, which alone reaches the port: something on it passes them on. */
function proxyFindings(configuration: ApiConfiguration): Finding[] {
  const { EBB_BEHIND_TLS_ROUTER: routed, EBB_LISTEN: listen, EBB_PUBLIC_URL: url } = configuration;
  const isInside = isLoopback(splitHostPort(listen).host) && !isLoopback(new URL(url).hostname);
  if (routed || !isInside) return [];
  return [
    {
      ...{ code: 'proxy_not_declared', severity: 'medium' },
      what: `People reach ${url}, but the API listens on ${listen} and does not know of a proxy there.`,
      why: 'Everybody who comes through the proxy is one address: one who fails to sign in too often, or asks for too many links, holds up all.',
      fix: 'Set EBB_BEHIND_TLS_ROUTER=true and let the proxy set X-Forwarded-For and X-Forwarded-Proto.',
    },
  ];
}
