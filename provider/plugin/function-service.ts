import { FunctionFailure, type Parameter, type ProviderFunction } from './provider.ts';
import type { Rpc } from './rpc.ts';
import { markdown } from './schema.ts';
import type { Session } from './session.ts';
import { ownMember } from './value.ts';
import { type DynamicValue, typedFromWire, typedToWire } from './wire-value.ts';

interface CallRequest {
  name: string;
  arguments: DynamicValue[];
}

/** Functions of the provider, for expressions. They need no configured provider. */
export function functionService<Client>({ provider, log }: Session<Client>) {
  const { functions = {} } = provider;

  const GetFunctions: Rpc<object> = { run: () => ({ functions: functionsToWire(functions) }) };

  const CallFunction: Rpc<CallRequest> = {
    run({ name, arguments: values }) {
      const found = ownMember(functions, name);
      if (!found) return { error: { text: `This provider has no function "${name}".` } };
      try {
        const { parameters, returns } = found;
        const given = parameters.map(({ type }, index) => typedFromWire(values[index] ?? null, type));
        return { result: typedToWire(found.call(...given), returns) };
      } catch (error) {
        if (error instanceof FunctionFailure)
          // Terraform ends the sentence itself.
          return { error: { text: error.message.replace(/\.$/, ''), function_argument: error.argument } };
        log.error('unexpected error', { function: name, stack: error instanceof Error ? error.stack : '' });
        return { error: { text: `${name} failed unexpectedly: ${error}. This is a bug in the provider` } };
      }
    },
  };

  return { GetFunctions, CallFunction };
}

export function functionsToWire(functions: { readonly [name: string]: ProviderFunction }): object {
  const entries = Object.entries(functions).map(([name, one]) => [
    name,
    {
      ...{ summary: one.summary, description: one.description, description_kind: markdown },
      parameters: one.parameters.map(parameterToWire),
      return: { type: Buffer.from(JSON.stringify(one.returns)) },
      deprecation_message: one.deprecated ?? '',
    },
  ]);
  return Object.fromEntries(entries);
}

function parameterToWire({ name, type, description }: Parameter): object {
  return { name, type: Buffer.from(JSON.stringify(type)), description, description_kind: markdown };
}
