import type { CtyType } from './cty-type.ts';
import type { Diagnostic } from './diagnostic.ts';
import type { ExactJson } from './json-value.ts';
import type { Log } from './log.ts';
import type { Schema } from './schema.ts';
import type { Value, ValueMap } from './value.ts';

type ByName<T> = { readonly [name: string]: T };

/**
 * A Terraform provider. `Client` is what `configure` makes and every operation gets.
 *
 * Operations throw a `DiagnosticError` to tell the user something; anything else they throw is reported as a bug.
 * `signal` is aborted when Terraform asks the provider to stop.
 */
export interface Provider<Client> {
  schema: Schema;
  /** Judges a configuration without asking anybody; values may be unknown. */
  validate?(config: ValueMap): Diagnostic[];
  configure(
    config: ValueMap,
    context: { terraformVersion: string; signal: AbortSignal; log: Log },
  ): Promise<Client>;
  /** By type name, with the provider's prefix. */
  resources: ByName<ResourceType<Client>>;
  dataSources: ByName<DataSource<Client>>;
  ephemeralResources?: ByName<EphemeralResource<Client>>;
  /** By the name of the managed resource that they list. */
  listResources?: ByName<ListResource<Client>>;
  actions?: ByName<Action<Client>>;
  /** By name, without prefix. */
  functions?: ByName<ProviderFunction>;
}

interface Context<Client> {
  client: Client;
  signal: AbortSignal;
}

/** A resource as Terraform keeps it: its state, and bytes that only the provider reads. */
export interface Stored {
  state: ValueMap;
  private?: Uint8Array;
}

/** What tells a resource from every other for good, in Terraform 1.12 and newer. */
export interface Identity {
  version: number;
  attributes: ByName<{ type: CtyType; description: string; required: boolean }>;
  of(state: ValueMap): ValueMap;
}

/** State of another resource type, perhaps of another provider, that is to become one of this. */
export interface MovedFrom {
  /** `registry.terraform.io/acme/other`. */
  provider: string;
  type: string;
  version: number;
  state: ExactJson;
}

/** Plans come from the schema alone; see `planChange`. Only `config` holds the values of write-only attributes. */
export interface ResourceType<Client> {
  schema: Schema;
  identity?: Identity;
  validate?(config: ValueMap): Diagnostic[];
  /** Judges, in a plan, what a new one is to be; values may be unknown. */
  validateNew?(config: ValueMap): Diagnostic[];
  /** By version of the schema: makes its state one of the next version. */
  upgrades?: { readonly [version: number]: (state: ExactJson) => ExactJson };
  /** Undefined when this cannot become one. */
  move?(from: MovedFrom): Stored | undefined;
  create(change: { config: ValueMap; planned: ValueMap } & Context<Client>): Promise<Stored>;
  /** Null when the resource is gone. */
  read(known: { state: ValueMap; private: Uint8Array } & Context<Client>): Promise<Stored | null>;
  update(
    change: { config: ValueMap; prior: ValueMap; planned: ValueMap; private: Uint8Array } & Context<Client>,
  ): Promise<Stored>;
  /** Succeeds when the resource is gone already. Its diagnostics are warnings. */
  delete(change: { prior: ValueMap } & Context<Client>): Promise<Diagnostic[]>;
  /** By what the user wrote, or by its identity. */
  import(wanted: ({ id: string } | { identity: ValueMap }) & Context<Client>): Promise<Stored>;
}

export interface DataSource<Client> {
  schema: Schema;
  validate?(config: ValueMap): Diagnostic[];
  read(wanted: { config: ValueMap } & Context<Client>): Promise<ValueMap>;
}

/** What an ephemeral resource has until it is closed; `private` is given back to renew and close it. */
export interface Renewable {
  /** When Terraform must renew it; never when absent. */
  renewAt?: Date;
  private?: Uint8Array;
}

/** A value that exists while Terraform runs, in no plan and no state. */
export interface EphemeralResource<Client> {
  schema: Schema;
  validate?(config: ValueMap): Diagnostic[];
  open(wanted: { config: ValueMap } & Context<Client>): Promise<{ result: ValueMap } & Renewable>;
  renew?(known: { private: Uint8Array } & Context<Client>): Promise<Renewable>;
  close?(known: { private: Uint8Array } & Context<Client>): Promise<void>;
}

/** One of what a list finds. */
export interface Listed {
  /** Its name for people. */
  displayName: string;
  state: ValueMap;
}

export interface ListResource<Client> {
  schema: Schema;
  validate?(config: ValueMap): Diagnostic[];
  list(wanted: { config: ValueMap } & Context<Client>): AsyncIterable<Listed>;
}

/** Something that is done once when it is asked for, and leaves no state. */
export interface Action<Client> {
  schema: Schema;
  validate?(config: ValueMap): Diagnostic[];
  /** Gives lines that tell the user how far it is. */
  invoke(wanted: { config: ValueMap } & Context<Client>): AsyncIterable<string>;
}

export interface Parameter {
  name: string;
  type: CtyType;
  /** Markdown. */
  description: string;
}

/** A pure function for expressions; its arguments are wholly known and not null. */
export interface ProviderFunction {
  /** One line. */
  summary: string;
  /** Markdown. */
  description: string;
  parameters: readonly Parameter[];
  returns: CtyType;
  /** What to use instead; Terraform warns whoever uses it. */
  deprecated?: string;
  /** Throws a `FunctionFailure` to tell the user what is wrong. */
  call(...values: Value[]): Value;
}

/** What a function has against one of its arguments, counted from 0. */
export class FunctionFailure extends Error {
  readonly argument: number | undefined;

  constructor(message: string, argument?: number) {
    super(message);
    this.argument = argument;
  }
}
