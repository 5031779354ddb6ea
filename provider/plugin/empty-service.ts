import { failure } from './diagnostic.ts';
import type { Rpc } from './rpc.ts';

/** What Terraform may ask of kinds that the provider has none of: ephemeral resources, functions, moves. */
export function emptyService() {
  const ephemeral: Rpc<{ type_name: string }> = {
    run: ({ type_name }) => {
      throw failure('Unknown ephemeral resource', `This provider has no ephemeral resource "${type_name}".`);
    },
  };
  const MoveResourceState: Rpc<{ source_type_name: string; target_type_name: string }> = {
    run: ({ source_type_name: source, target_type_name: target }) => {
      throw failure('Move is not possible', `A ${source} cannot become a ${target}; import it instead.`);
    },
  };
  const GetFunctions: Rpc<object> = { run: () => ({}) };
  const CallFunction: Rpc<{ name: string }> = {
    run: ({ name }) => ({ error: { text: `This provider has no function "${name}".` } }),
  };
  return {
    ValidateEphemeralResourceConfig: ephemeral,
    OpenEphemeralResource: ephemeral,
    RenewEphemeralResource: ephemeral,
    CloseEphemeralResource: ephemeral,
    MoveResourceState,
    GetFunctions,
    CallFunction,
  };
}
