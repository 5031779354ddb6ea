import { isLoopback } from '../../contract/transport-security.ts';
import type { App } from './app-type.ts';

const marks = ['x-forwarded-for', 'x-forwarded-proto', 'forwarded', 'via'] as const;

/**
 * For a process that does not know of a router: says once in the log that one on this machine sends to it. Nothing it says is
 * believed, so everybody who comes through it is one address.
 */
export function noticeProxy(app: App): void {
  let isNoticed = false;
  app.addHook('onRequest', async ({ headers, ip, log }) => {
    if (isNoticed || !isLoopback(ip)) return;
    const mark = marks.find((name) => headers[name] !== undefined);
    if (mark === undefined) return;
    isNoticed = true;
    log.warn(
      { header: mark },
      'a proxy on this machine sends requests here, but EBB_BEHIND_TLS_ROUTER is not true: all who come through it are one address for limits. Set it when only that proxy reaches this process',
    );
  });
}
