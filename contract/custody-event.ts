import { type Static, Type } from 'typebox';
import { Phase } from './build.ts';
import { Moment } from './moment.ts';

const strict = { additionalProperties: false };

/** Why the deploy-key agent did not do what a VM asked of it. */
export const agentRefusals = [
  'not_an_authentication',
  'wrong_user',
  'wrong_key',
  'not_bound',
  'wrong_session',
  'host_not_pinned',
  'bind_malformed',
  'bind_for_forwarding',
  'bind_host_not_pinned',
  'bind_signature_invalid',
  'already_bound',
  'limit_reached',
  'revoked',
  'too_many_streams',
  'too_many_refusals',
  'unknown_extension',
  'unknown_request',
  'signer_failed',
] as const;

const Count = Type.Integer({ minimum: 0, maximum: 1000 });

/** What a runner does with what only it can open. Carries codes, counts and names, never a text that a VM wrote. */
export const CustodyEvent = Type.Union([
  Type.Object({ action: Type.Literal('deploy_key.opened') }, strict),
  Type.Object({ action: Type.Literal('deploy_key.signed'), signs: Count }, strict),
  Type.Object({ action: Type.Literal('deploy_key.refused'), code: Type.Enum([...agentRefusals]) }, strict),
  Type.Object({ action: Type.Literal('deploy_key.closed'), signs: Count, refusals: Count }, strict),
  Type.Object(
    {
      action: Type.Literal('secrets.opened'),
      phase: Phase,
      count: Count,
      names: Type.Array(Type.String({ pattern: '^[A-Z_][A-Z0-9_]*$', maxLength: 100 }), {
        maxItems: 100,
        description: 'Names of the secrets; the first hundred.',
      }),
    },
    strict,
  ),
]);
export type CustodyEvent = Static<typeof CustodyEvent>;

/** How many events one attempt may report: the agent gives up after 32 refusals, so an honest runner needs fewer. */
export const maxCustodyEvents = 64;

/** POST /v1/builds/{id}/custody-events: idempotent by the event's number; the first report of a number counts. */
export const CustodyReport = Type.Object(
  {
    attempt: Type.Integer(),
    number: Type.Integer({ minimum: 1, maximum: maxCustodyEvents, description: 'Counts up in an attempt.' }),
    at: Moment,
    event: CustodyEvent,
  },
  strict,
);
export type CustodyReport = Static<typeof CustodyReport>;
