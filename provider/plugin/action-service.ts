import type { Rpc, StreamingRpc } from './rpc.ts';
import type { Session } from './session.ts';
import { typesByName } from './types-by-name.ts';
import { type DynamicValue, presentObject } from './wire-value.ts';

interface ActionRequest {
  action_type: string;
  config: DynamicValue | null;
}

/** What is done once when it is asked for, for Terraform 1.14 and newer. */
export function actionService<Client>(session: Session<Client>) {
  const { actions = {} } = session.provider;
  const { find, attributes, validation } = typesByName(actions, 'action');
  const attributesOf = ({ action_type }: ActionRequest) => attributes({ type_name: action_type });

  const PlanAction: Rpc<ActionRequest> = {
    attributes: attributesOf,
    run({ action_type }) {
      find(action_type);
      return {};
    },
  };

  const InvokeAction: StreamingRpc<ActionRequest> = {
    attributes: attributesOf,
    async *stream({ action_type, config }) {
      const { schema, invoke } = find(action_type);
      const wanted = { config: presentObject(config, schema.attributes) };
      const context = { client: session.client(), signal: session.stop.signal };
      for await (const message of invoke({ ...wanted, ...context })) yield { progress: { message } };
      yield { completed: {} };
    },
    failed: (diagnostics) => ({ completed: { diagnostics } }),
  };

  return { ValidateActionConfig: validation, PlanAction, InvokeAction };
}
