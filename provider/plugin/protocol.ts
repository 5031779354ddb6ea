import { fromJSON } from '@grpc/proto-loader';
import { messages, service } from './message-notation.ts';

/**
 * Terraform's plugin protocol 6, the parts that a provider without functions and ephemeral resources speaks, and
 * go-plugin's controller. Only the field numbers, the types and the names of services and methods are on the wire.
 *
 * @see https://developer.hashicorp.com/terraform/plugin/terraform-plugin-protocol
 */
const values = messages({
  DynamicValue: { msgpack: '1 bytes', json: '2 bytes' },
  RawState: { json: '1 bytes', flatmap: '2 map string' },
  Diagnostic: { severity: '1 int32', summary: '2 string', detail: '3 string', attribute: '4 AttributePath' },
  AttributePath: { steps: '1 repeated PathStep' },
  PathStep: {
    attribute_name: '1 one string',
    element_key_string: '2 one string',
    element_key_int: '3 one int64',
  },
  ServerCapabilities: {
    plan_destroy: '1 bool',
    get_provider_schema_optional: '2 bool',
    move_resource_state: '3 bool',
  },
  ClientCapabilities: { deferral_allowed: '1 bool', write_only_attributes_allowed: '2 bool' },
});

const schemas = messages({
  Schema: { version: '1 int64', block: '2 Block' },
  Block: {
    version: '1 int64',
    attributes: '2 repeated Attribute',
    block_types: '3 repeated NestedBlock',
    description: '4 string',
    description_kind: '5 int32',
    deprecated: '6 bool',
  },
  Attribute: {
    name: '1 string',
    type: '2 bytes',
    description: '3 string',
    required: '4 bool',
    optional: '5 bool',
    computed: '6 bool',
    sensitive: '7 bool',
    description_kind: '8 int32',
    deprecated: '9 bool',
    nested_type: '10 NestedAttributes',
    write_only: '11 bool',
  },
  NestedAttributes: { attributes: '1 repeated Attribute', nesting: '3 int32' },
  NestedBlock: { type_name: '1 string', block: '2 Block', nesting: '3 int32' },
  TypeName: { type_name: '1 string' },
  Named: { name: '1 string' },
});

const providerMessages = messages({
  Empty: {},
  GetMetadataResponse: {
    server_capabilities: '1 ServerCapabilities',
    diagnostics: '2 repeated Diagnostic',
    data_sources: '3 repeated TypeName',
    resources: '4 repeated TypeName',
    functions: '5 repeated Named',
    ephemeral_resources: '6 repeated TypeName',
  },
  GetProviderSchemaResponse: {
    provider: '1 Schema',
    resource_schemas: '2 map Schema',
    data_source_schemas: '3 map Schema',
    diagnostics: '4 repeated Diagnostic',
    provider_meta: '5 Schema',
    server_capabilities: '6 ServerCapabilities',
  },
  ValidateProviderConfigRequest: { config: '1 DynamicValue' },
  ValidateProviderConfigResponse: { diagnostics: '2 repeated Diagnostic' },
  ConfigureProviderRequest: { terraform_version: '1 string', config: '2 DynamicValue' },
  StopProviderResponse: { Error: '1 string' },
  Diagnostics: { diagnostics: '1 repeated Diagnostic' },
  GetFunctionsResponse: { diagnostics: '2 repeated Diagnostic' },
  FunctionCall: { name: '1 string', arguments: '2 repeated DynamicValue' },
  FunctionResult: { result: '1 DynamicValue', error: '2 FunctionError' },
  FunctionError: { text: '1 string', function_argument: '2 int64' },
});

const resourceMessages = messages({
  ValidateResourceConfigRequest: {
    type_name: '1 string',
    config: '2 DynamicValue',
    client_capabilities: '3 ClientCapabilities',
  },
  UpgradeResourceStateRequest: { type_name: '1 string', version: '2 int64', raw_state: '3 RawState' },
  UpgradeResourceStateResponse: { upgraded_state: '1 DynamicValue', diagnostics: '2 repeated Diagnostic' },
  ReadResourceRequest: { type_name: '1 string', current_state: '2 DynamicValue', private: '3 bytes' },
  ReadResourceResponse: {
    new_state: '1 DynamicValue',
    diagnostics: '2 repeated Diagnostic',
    private: '3 bytes',
  },
  PlanResourceChangeRequest: {
    type_name: '1 string',
    prior_state: '2 DynamicValue',
    proposed_new_state: '3 DynamicValue',
    config: '4 DynamicValue',
    prior_private: '5 bytes',
  },
  PlanResourceChangeResponse: {
    planned_state: '1 DynamicValue',
    requires_replace: '2 repeated AttributePath',
    planned_private: '3 bytes',
    diagnostics: '4 repeated Diagnostic',
  },
  ApplyResourceChangeRequest: {
    type_name: '1 string',
    prior_state: '2 DynamicValue',
    planned_state: '3 DynamicValue',
    config: '4 DynamicValue',
    planned_private: '5 bytes',
  },
  ApplyResourceChangeResponse: {
    new_state: '1 DynamicValue',
    private: '2 bytes',
    diagnostics: '3 repeated Diagnostic',
  },
  ImportResourceStateRequest: { type_name: '1 string', id: '2 string' },
  ImportedResource: { type_name: '1 string', state: '2 DynamicValue', private: '3 bytes' },
  ImportResourceStateResponse: {
    imported_resources: '1 repeated ImportedResource',
    diagnostics: '2 repeated Diagnostic',
  },
  MoveResourceStateRequest: { source_type_name: '2 string', target_type_name: '5 string' },
  MoveResourceStateResponse: { diagnostics: '2 repeated Diagnostic' },
  DataSourceRequest: { type_name: '1 string', config: '2 DynamicValue' },
  ReadDataSourceResponse: { state: '1 DynamicValue', diagnostics: '2 repeated Diagnostic' },
  TypedRequest: { type_name: '1 string' },
  // Renewing answers its diagnostics in field 2, opening and closing in field 1.
  RenewEphemeralResourceResponse: { diagnostics: '2 repeated Diagnostic' },
});

const provider = service({
  GetMetadata: ['Empty', 'GetMetadataResponse'],
  GetProviderSchema: ['Empty', 'GetProviderSchemaResponse'],
  ValidateProviderConfig: ['ValidateProviderConfigRequest', 'ValidateProviderConfigResponse'],
  ConfigureProvider: ['ConfigureProviderRequest', 'Diagnostics'],
  StopProvider: ['Empty', 'StopProviderResponse'],
  ValidateResourceConfig: ['ValidateResourceConfigRequest', 'Diagnostics'],
  UpgradeResourceState: ['UpgradeResourceStateRequest', 'UpgradeResourceStateResponse'],
  ReadResource: ['ReadResourceRequest', 'ReadResourceResponse'],
  PlanResourceChange: ['PlanResourceChangeRequest', 'PlanResourceChangeResponse'],
  ApplyResourceChange: ['ApplyResourceChangeRequest', 'ApplyResourceChangeResponse'],
  ImportResourceState: ['ImportResourceStateRequest', 'ImportResourceStateResponse'],
  MoveResourceState: ['MoveResourceStateRequest', 'MoveResourceStateResponse'],
  ValidateDataResourceConfig: ['DataSourceRequest', 'Diagnostics'],
  ReadDataSource: ['DataSourceRequest', 'ReadDataSourceResponse'],
  ValidateEphemeralResourceConfig: ['TypedRequest', 'Diagnostics'],
  OpenEphemeralResource: ['TypedRequest', 'Diagnostics'],
  RenewEphemeralResource: ['TypedRequest', 'RenewEphemeralResourceResponse'],
  CloseEphemeralResource: ['TypedRequest', 'Diagnostics'],
  GetFunctions: ['Empty', 'GetFunctionsResponse'],
  CallFunction: ['FunctionCall', 'FunctionResult'],
});

const controller = { ...messages({ Empty: {} }), GRPCController: service({ Shutdown: ['Empty', 'Empty'] }) };

/** Name of the protocol's service, and of go-plugin's. */
export const providerService = 'tfplugin6.Provider';
export const controllerService = 'plugin.GRPCController';

/** Builds the gRPC definitions of both services; enumerations are numbers, 64-bit fields JavaScript numbers. */
export function loadProtocol() {
  const tfplugin6 = { ...values, ...schemas, ...providerMessages, ...resourceMessages, Provider: provider };
  const packages = { nested: { tfplugin6: { nested: tfplugin6 }, plugin: { nested: controller } } };
  return fromJSON(packages, { keepCase: true, longs: Number, defaults: true, oneofs: true });
}
