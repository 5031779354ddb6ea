import { messages } from './messages.ts';
import { type Codec, codecs } from './protobuf.ts';

/** A method of a service: what goes in, what comes out, and whether that is many messages. */
interface Method {
  request: string;
  response: string;
  streams?: true;
}

const method = (request: string, response: string): Method => ({ request, response });

/** Methods of `tfplugin6.Provider`. */
export const providerMethods: { readonly [name: string]: Method } = {
  GetMetadata: method('Empty', 'GetMetadataResponse'),
  GetProviderSchema: method('Empty', 'GetProviderSchemaResponse'),
  GetResourceIdentitySchemas: method('Empty', 'GetResourceIdentitySchemasResponse'),
  ValidateProviderConfig: method('ValidateProviderConfigRequest', 'ValidateProviderConfigResponse'),
  ConfigureProvider: method('ConfigureProviderRequest', 'Diagnostics'),
  StopProvider: method('Empty', 'StopProviderResponse'),
  ValidateResourceConfig: method('ValidateResourceConfigRequest', 'Diagnostics'),
  UpgradeResourceState: method('UpgradeResourceStateRequest', 'UpgradeResourceStateResponse'),
  UpgradeResourceIdentity: method('UpgradeResourceIdentityRequest', 'UpgradeResourceIdentityResponse'),
  ReadResource: method('ReadResourceRequest', 'ReadResourceResponse'),
  PlanResourceChange: method('PlanResourceChangeRequest', 'PlanResourceChangeResponse'),
  ApplyResourceChange: method('ApplyResourceChangeRequest', 'ApplyResourceChangeResponse'),
  ImportResourceState: method('ImportResourceStateRequest', 'ImportResourceStateResponse'),
  GenerateResourceConfig: method('GenerateResourceConfigRequest', 'GenerateResourceConfigResponse'),
  MoveResourceState: method('MoveResourceStateRequest', 'MoveResourceStateResponse'),
  ValidateDataResourceConfig: method('ConfigOfType', 'Diagnostics'),
  ReadDataSource: method('ConfigOfType', 'ReadDataSourceResponse'),
  ValidateEphemeralResourceConfig: method('ConfigOfType', 'Diagnostics'),
  OpenEphemeralResource: method('ConfigOfType', 'OpenEphemeralResourceResponse'),
  RenewEphemeralResource: method('PrivateOfType', 'RenewEphemeralResourceResponse'),
  CloseEphemeralResource: method('PrivateOfType', 'Diagnostics'),
  GetFunctions: method('Empty', 'GetFunctionsResponse'),
  CallFunction: method('CallFunctionRequest', 'CallFunctionResponse'),
  ValidateListResourceConfig: method('ValidateListResourceConfigRequest', 'Diagnostics'),
  ListResource: { ...method('ListResourceRequest', 'ListResourceEvent'), streams: true },
  ValidateActionConfig: method('ConfigOfType', 'Diagnostics'),
  PlanAction: method('ActionRequest', 'Diagnostics'),
  InvokeAction: { ...method('ActionRequest', 'InvokeActionEvent'), streams: true },
};

/** Methods of go-plugin's controller. */
export const controllerMethods: { readonly [name: string]: Method } = { Shutdown: method('Empty', 'Empty') };

/** Names of the services, as paths of calls have them. */
export const providerService = 'tfplugin6.Provider';
export const controllerService = 'plugin.GRPCController';

/** Codec of a message by its name. */
export const codecOf: (message: string) => Codec = codecs(messages);
