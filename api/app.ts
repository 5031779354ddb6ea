import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastify from 'fastify';
import { accessGrantRoutes } from './access-grants/routes.ts';
import { grantUseRoutes } from './access-grants/use-routes.ts';
import { apiKeyRoutes } from './api-keys/routes.ts';
import { auditRoutes } from './audit/routes.ts';
import { authorizeRoutes } from './auth/authorize-routes.ts';
import { introspectionRoute } from './auth/introspection-route.ts';
import { authRoutes } from './auth/routes.ts';
import { buildPageRoute } from './builds/build-page.ts';
import { buildRoutes } from './builds/routes.ts';
import { connectionRoutes } from './connections/routes.ts';
import type { ApiContext } from './context.ts';
import { deployKeyRoutes } from './deploy-keys/routes.ts';
import { healthRoutes } from './health/routes.ts';
import { deliveriesRoute } from './hook-bindings/deliveries-route.ts';
import { hookBindingRoutes } from './hook-bindings/routes.ts';
import { hookRoutes } from './hooks/routes.ts';
import { noteMethods } from './http/allowed-methods.ts';
import type { App } from './http/app-type.ts';
import { answerClientError } from './http/client-errors.ts';
import { connectionLimits, limitConnections, serverOptions } from './http/connection-limits.ts';
import { noticeProxy } from './http/notice-proxy.ts';
import { answerNoRoute, answerNoUrl, answerProblem } from './http/problem-handler.ts';
import { limitRates, type RateLimits } from './http/rate-limits.ts';
import { serveReference } from './http/reference.ts';
import { refuseWhileStopping } from './http/refuse-while-stopping.ts';
import { requireHttps } from './http/require-https.ts';
import { setResponseHeaders } from './http/response-headers.ts';
import { requireStorableText } from './http/storable-text.ts';
import { createValidatorCompiler } from './http/validation.ts';
import { keyEncryptionRoutes } from './key-encryption/routes.ts';
import { keyRotationRoutes } from './key-rotations/routes.ts';
import { operatorRoutes } from './operators/routes.ts';
import { githubRoutes } from './people/github/routes.ts';
import { isKnownBrowser } from './people/known-browser.ts';
import { linkPageRoutes } from './people/link-page.ts';
import { isSignedIn } from './people/require-person.ts';
import { peopleRoutes } from './people/routes.ts';
import { projectRoutes } from './projects/routes.ts';
import { receiptRoutes } from './receipts/routes.ts';
import { revocationRoutes } from './revocation/routes.ts';
import { secretRoutes } from './secrets/routes.ts';
import { operatorShareRoutes } from './shares/operator-routes.ts';
import { teamShareRoutes } from './shares/team-routes.ts';
import { invitationRoutes } from './teams/invitation-routes.ts';
import { memberRoutes } from './teams/member-routes.ts';
import { ownTeamRoutes } from './teams/own-team-routes.ts';
import { teamRoutes } from './teams/routes.ts';
import { workloadIdentityRoutes } from './workload-identities/routes.ts';

const bodyLimit = 1024 * 1024;
const concepts = [
  healthRoutes,
  authRoutes,
  introspectionRoute,
  connectionRoutes,
  projectRoutes,
  deployKeyRoutes,
  hookBindingRoutes,
  secretRoutes,
  keyEncryptionRoutes,
  keyRotationRoutes,
  buildRoutes,
  buildPageRoute,
  hookRoutes,
  deliveriesRoute,
  receiptRoutes,
  revocationRoutes,
  auditRoutes,
  accessGrantRoutes,
  grantUseRoutes,
  workloadIdentityRoutes,
  apiKeyRoutes,
  peopleRoutes,
  githubRoutes,
  linkPageRoutes,
  teamRoutes,
  ownTeamRoutes,
  memberRoutes,
  invitationRoutes,
  operatorRoutes,
  operatorShareRoutes,
  teamShareRoutes,
];

export const defaultRateLimits: RateLimits = { perKey: 12_000, refusalsPerAddress: 300 };

export interface AppOptions {
  tls?: { cert: string; key: string };
  behindRouter?: boolean;
  rateLimits?: RateLimits;
  /** From when on requests are refused, because the process closes its server. */
  closing?: AbortSignal;
  /** Adds hooks before there is any route. */
  watch?: (app: App) => void;
}

/**
 * The control plane as a Fastify app that does not listen yet; over HTTPS when `tls` (PEM) is given. With `behindRouter`
 * the last hop of X-Forwarded-For is believed and plain HTTP between router and client refused.
 */
export async function buildApp(
  context: ApiContext,
  { tls, behindRouter = false, rateLimits = defaultRateLimits, closing, watch }: AppOptions = {},
): Promise<App> {
  const app = fastify({
    ...(tls
      ? {
          https: {
            ...serverOptions,
            ...tls,
            minVersion: 'TLSv1.2',
            handshakeTimeout: connectionLimits.headersTimeout,
          },
        }
      : { https: null, http: serverOptions }),
    loggerInstance: context.log,
    bodyLimit,
    requestTimeout: connectionLimits.requestTimeout,
    connectionTimeout: connectionLimits.connectionTimeout,
    keepAliveTimeout: connectionLimits.keepAliveTimeout,
    // A client's own request id is not believed: it would stand in our logs.
    requestIdHeader: false,
    genReqId: () => crypto.randomUUID(),
    forceCloseConnections: 'idle',
    // Refused below, in the form that all refusals have.
    return503OnClosing: false,
    // The router alone: who came before it may say what he likes.
    trustProxy: behindRouter && ((_address: string, hop: number) => hop === 0),
    frameworkErrors: answerNoUrl,
    clientErrorHandler: answerClientError,
  }).withTypeProvider<TypeBoxTypeProvider>() as unknown as App;
  limitConnections(app);
  app.setValidatorCompiler(createValidatorCompiler());
  app.setErrorHandler(answerProblem);
  app.setNotFoundHandler(answerNoRoute(noteMethods(app)));
  authorizeRoutes(app, context);
  app.decorateRequest('principal');
  app.decorateRequest('person');
  await setResponseHeaders(app, { overTls: tls !== undefined });
  if (closing) refuseWhileStopping(app, closing);
  watch?.(app);
  if (behindRouter) requireHttps(app, context.publicUrl);
  else noticeProxy(app);
  await limitRates(app, rateLimits, {
    isSigned: async (token) => (await context.tokens.verify(token)) !== undefined,
    isSignedIn: (request) => isSignedIn(context, request),
    isKnownBrowser: (request, email) => isKnownBrowser(context, request, email),
  });
  app.addHook('preValidation', requireStorableText);
  app.removeContentTypeParser('text/plain');
  app.addContentTypeParser(
    'application/merge-patch+json',
    { parseAs: 'string' },
    app.getDefaultJsonParser('error', 'error'),
  );
  await serveReference(app);
  for (const routes of concepts) await app.register(routes, { context });
  return app;
}
