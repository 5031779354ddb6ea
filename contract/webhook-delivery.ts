import { type Static, Type } from 'typebox';
import { Timestamp } from './id.ts';

/** What became of one authentic delivery of a hook. GET /v1/hook-bindings/{id}/deliveries lists them, newest first. */
export const WebhookDelivery = Type.Object({
  delivery: Type.String({ description: 'Its id, as the source host shows it.' }),
  received_at: Timestamp('When Ebb had stored it.'),
  event: Type.String({ description: '`push`, `pull_request`, or another that starts nothing.' }),
  ref: Type.Union([Type.String(), Type.Null()]),
  commit: Type.Union([Type.String(), Type.Null()]),
  build: Type.Union([Type.String(), Type.Null()], { description: 'The build that it started.' }),
  reason: Type.Union([Type.String(), Type.Null()], { description: 'Why it started none.' }),
});
export type WebhookDelivery = Static<typeof WebhookDelivery>;
