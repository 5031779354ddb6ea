import { failure } from './diagnostic.ts';
import { diagnosticsToWire, type Rpc, type StreamingRpc } from './rpc.ts';
import type { Session } from './session.ts';
import { type DynamicValue, presentObject } from './wire-value.ts';

interface ValidateRequest {
  type_name: string;
  config: DynamicValue | null;
}
interface ActionRequest {
  action_type: string;
  config: DynamicValue | null;
}

/** What is done once when it is asked for, for Terraform 1.14 and newer. */
export function actionService<Client>(session: Session<Client>) {
  const { actions = {} } = session.provider;
  const find = (name: string) => {
    const action = actions[name];
    if (action) return action;
    throw failure('Unknown action', `This provider has no action "${name}".`);
  };

  const ValidateActionConfig: Rpc<ValidateRequest> = {
    attributes: ({ type_name }) => actions[type_name]?.schema.attributes,
    run({ type_name, config }) {
      const { schema, validate } = find(type_name);
      const diagnostics = validate?.(presentObject(config, schema.attributes)) ?? [];
      return { diagnostics: diagnosticsToWire(diagnostics, schema.attributes) };
    },
  };

  const PlanAction: Rpc<ActionRequest> = {
    attributes: ({ action_type }) => actions[action_type]?.schema.attributes,
    run({ action_type }) {
      find(action_type);
      return {};
    },
  };

  const InvokeAction: StreamingRpc<ActionRequest> = {
    attributes: ({ action_type }) => actions[action_type]?.schema.attributes,
    async *stream({ action_type, config }) {
      const { schema, invoke } = find(action_type);
      const wanted = { config: presentObject(config, schema.attributes) };
      const context = { client: session.client(), signal: session.stop.signal };
      for await (const message of invoke({ ...wanted, ...context })) yield { progress: { message } };
      yield { completed: {} };
    },
    failed: (diagnostics) => ({ completed: { diagnostics } }),
  };

  return { ValidateActionConfig, PlanAction, InvokeAction };
}
