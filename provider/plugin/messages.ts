import type { MessageFields } from './protobuf.ts';

/**
 * Messages of Terraform's plugin protocol 6.10, as far as a provider without state stores needs them, in the notation
 * of `protobuf.ts`. Only numbers and types are on the wire; names of messages are ours.
 *
 * @see https://github.com/hashicorp/terraform/tree/main/docs/plugin-protocol
 */
const values = {
  DynamicValue: { msgpack: '1 bytes', json: '2 bytes' },
  RawState: { json: '1 bytes', flatmap: '2 map string' },
  IdentityData: { identity_data: '1 DynamicValue' },
  Timestamp: { seconds: '1 int64', nanos: '2 int32' },
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
    generate_resource_config: '4 bool',
  },
  ClientCapabilities: { deferral_allowed: '1 bool', write_only_attributes_allowed: '2 bool' },
  Empty: {},
  Diagnostics: { diagnostics: '1 repeated Diagnostic' },
} as const;

const schemas = {
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
  ActionSchema: { schema: '1 Schema' },
  IdentitySchema: { version: '1 int64', identity_attributes: '2 repeated IdentityAttribute' },
  IdentityAttribute: {
    name: '1 string',
    type: '2 bytes',
    required_for_import: '3 bool',
    optional_for_import: '4 bool',
    description: '5 string',
  },
  Function: {
    parameters: '1 repeated Parameter',
    variadic_parameter: '2 Parameter',
    return: '3 Return',
    summary: '4 string',
    description: '5 string',
    description_kind: '6 int32',
    deprecation_message: '7 string',
  },
  Parameter: {
    name: '1 string',
    type: '2 bytes',
    allow_null_value: '3 bool',
    allow_unknown_values: '4 bool',
    description: '5 string',
    description_kind: '6 int32',
  },
  Return: { type: '1 bytes' },
} as const;

const ofTheProvider = {
  GetMetadataResponse: {
    server_capabilities: '1 ServerCapabilities',
    diagnostics: '2 repeated Diagnostic',
    data_sources: '3 repeated TypeName',
    resources: '4 repeated TypeName',
    functions: '5 repeated Named',
    ephemeral_resources: '6 repeated TypeName',
    list_resources: '7 repeated TypeName',
    actions: '9 repeated TypeName',
  },
  TypeName: { type_name: '1 string' },
  Named: { name: '1 string' },
  GetProviderSchemaResponse: {
    provider: '1 Schema',
    resource_schemas: '2 map Schema',
    data_source_schemas: '3 map Schema',
    diagnostics: '4 repeated Diagnostic',
    provider_meta: '5 Schema',
    server_capabilities: '6 ServerCapabilities',
    functions: '7 map Function',
    ephemeral_resource_schemas: '8 map Schema',
    list_resource_schemas: '9 map Schema',
    action_schemas: '11 map ActionSchema',
  },
  ValidateProviderConfigRequest: { config: '1 DynamicValue' },
  ValidateProviderConfigResponse: { diagnostics: '2 repeated Diagnostic' },
  ConfigureProviderRequest: {
    terraform_version: '1 string',
    config: '2 DynamicValue',
    client_capabilities: '3 ClientCapabilities',
  },
  StopProviderResponse: { Error: '1 string' },
  GetResourceIdentitySchemasResponse: {
    identity_schemas: '1 map IdentitySchema',
    diagnostics: '2 repeated Diagnostic',
  },
  GetFunctionsResponse: { functions: '1 map Function', diagnostics: '2 repeated Diagnostic' },
  CallFunctionRequest: { name: '1 string', arguments: '2 repeated DynamicValue' },
  CallFunctionResponse: { result: '1 DynamicValue', error: '2 FunctionError' },
  FunctionError: { text: '1 string', function_argument: '2 one int64' },
} as const;

const ofResources = {
  ValidateResourceConfigRequest: {
    type_name: '1 string',
    config: '2 DynamicValue',
    client_capabilities: '3 ClientCapabilities',
  },
  UpgradeResourceStateRequest: { type_name: '1 string', version: '2 int64', raw_state: '3 RawState' },
  UpgradeResourceStateResponse: { upgraded_state: '1 DynamicValue', diagnostics: '2 repeated Diagnostic' },
  UpgradeResourceIdentityRequest: { type_name: '1 string', version: '2 int64', raw_identity: '3 RawState' },
  UpgradeResourceIdentityResponse: {
    upgraded_identity: '1 IdentityData',
    diagnostics: '2 repeated Diagnostic',
  },
  ReadResourceRequest: {
    type_name: '1 string',
    current_state: '2 DynamicValue',
    private: '3 bytes',
    current_identity: '6 IdentityData',
  },
  ReadResourceResponse: {
    new_state: '1 DynamicValue',
    diagnostics: '2 repeated Diagnostic',
    private: '3 bytes',
    new_identity: '5 IdentityData',
  },
  PlanResourceChangeRequest: {
    type_name: '1 string',
    prior_state: '2 DynamicValue',
    proposed_new_state: '3 DynamicValue',
    config: '4 DynamicValue',
    prior_private: '5 bytes',
    prior_identity: '8 IdentityData',
  },
  PlanResourceChangeResponse: {
    planned_state: '1 DynamicValue',
    requires_replace: '2 repeated AttributePath',
    planned_private: '3 bytes',
    diagnostics: '4 repeated Diagnostic',
    planned_identity: '7 IdentityData',
  },
  ApplyResourceChangeRequest: {
    type_name: '1 string',
    prior_state: '2 DynamicValue',
    planned_state: '3 DynamicValue',
    config: '4 DynamicValue',
    planned_private: '5 bytes',
    planned_identity: '7 IdentityData',
  },
  ApplyResourceChangeResponse: {
    new_state: '1 DynamicValue',
    private: '2 bytes',
    diagnostics: '3 repeated Diagnostic',
    new_identity: '5 IdentityData',
  },
  ImportResourceStateRequest: { type_name: '1 string', id: '2 string', identity: '4 IdentityData' },
  ImportedResource: {
    type_name: '1 string',
    state: '2 DynamicValue',
    private: '3 bytes',
    identity: '4 IdentityData',
  },
  ImportResourceStateResponse: {
    imported_resources: '1 repeated ImportedResource',
    diagnostics: '2 repeated Diagnostic',
  },
  GenerateResourceConfigRequest: { type_name: '1 string', state: '2 DynamicValue' },
  GenerateResourceConfigResponse: { config: '1 DynamicValue', diagnostics: '2 repeated Diagnostic' },
  MoveResourceStateRequest: {
    source_provider_address: '1 string',
    source_type_name: '2 string',
    source_schema_version: '3 int64',
    source_state: '4 RawState',
    target_type_name: '5 string',
    source_private: '6 bytes',
  },
  MoveResourceStateResponse: {
    target_state: '1 DynamicValue',
    diagnostics: '2 repeated Diagnostic',
    target_private: '3 bytes',
    target_identity: '4 IdentityData',
  },
} as const;

const ofTheRest = {
  ConfigOfType: { type_name: '1 string', config: '2 DynamicValue' },
  ReadDataSourceResponse: { state: '1 DynamicValue', diagnostics: '2 repeated Diagnostic' },
  OpenEphemeralResourceResponse: {
    diagnostics: '1 repeated Diagnostic',
    renew_at: '2 Timestamp',
    result: '3 DynamicValue',
    private: '4 bytes',
  },
  PrivateOfType: { type_name: '1 string', private: '2 bytes' },
  RenewEphemeralResourceResponse: {
    diagnostics: '1 repeated Diagnostic',
    renew_at: '2 Timestamp',
    private: '3 bytes',
  },
  ListResourceRequest: {
    type_name: '1 string',
    config: '2 DynamicValue',
    include_resource_object: '3 bool',
    limit: '4 int64',
  },
  ListResourceEvent: {
    identity: '1 IdentityData',
    display_name: '2 string',
    resource_object: '3 DynamicValue',
    diagnostic: '4 repeated Diagnostic',
  },
  ValidateListResourceConfigRequest: {
    type_name: '1 string',
    config: '2 DynamicValue',
    include_resource_object: '3 DynamicValue',
    limit: '4 DynamicValue',
  },
  ActionRequest: { action_type: '1 string', config: '2 DynamicValue' },
  InvokeActionEvent: { progress: '1 one ActionProgress', completed: '2 one Diagnostics' },
  ActionProgress: { message: '1 string' },
} as const;

export const messages: { readonly [name: string]: MessageFields } = {
  ...values,
  ...schemas,
  ...ofTheProvider,
  ...ofResources,
  ...ofTheRest,
};
