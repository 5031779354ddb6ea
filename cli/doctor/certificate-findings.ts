import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { Finding } from './finding.ts';

const soonDays = 30;
const dayMs = 24 * 3600_000;

/**
 * What will keep clients from trusting the API's certificate, or does.
 *
 * @param pem the chain; the first is the server's own
 * @param hostname that clients ask for
 */
export function certificateFindings(pem: string, hostname: string, now: Date): Finding[] {
  const certificate = parse(pem);
  if (!certificate) {
    return [
      {
        ...{
          code: 'certificate_unreadable',
          severity: 'high',
          what: 'EBB_TLS_CERT holds no certificate in PEM.',
        },
        why: 'The API does not start.',
        fix: 'Give the file as it is, with its line breaks.',
      },
    ];
  }
  const days = Math.floor((certificate.validToDate.getTime() - now.getTime()) / dayMs);
  return [
    ...(days < soonDays ? [endsSoon(days)] : []),
    ...(isFor(certificate, hostname) ? [] : [otherName(hostname)]),
  ];
}

function parse(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function isFor(certificate: X509Certificate, hostname: string): boolean {
  const address = hostname.replace(/^\[|\]$/g, '');
  return (isIP(address) ? certificate.checkIP(address) : certificate.checkHost(hostname)) !== undefined;
}

const endsSoon = (days: number): Finding => ({
  code: 'certificate_ends_soon',
  severity: days < 7 ? 'high' : 'medium',
  what:
    days < 0
      ? 'The certificate in EBB_TLS_CERT has ended.'
      : `The certificate in EBB_TLS_CERT ends in ${days} days.`,
  why: 'From then on runners, Terraform and source hosts refuse the API: no push starts a build.',
  fix: 'Renew it and start the API again; let something do both by itself.',
});

const otherName = (hostname: string): Finding => ({
  ...{ code: 'certificate_of_another_name', severity: 'high' },
  what: `The certificate in EBB_TLS_CERT is not for ${hostname}, the host of EBB_PUBLIC_URL.`,
  why: 'Whoever verifies it refuses the API.',
  fix: 'Have one made for that name, or correct EBB_PUBLIC_URL.',
});
