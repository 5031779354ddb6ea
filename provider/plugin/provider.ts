import type { Diagnostic } from './diagnostic.ts';
import type { Schema } from './schema.ts';
import type { ValueMap } from './value.ts';

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
  configure(config: ValueMap, context: { terraformVersion: string; signal: AbortSignal }): Promise<Client>;
  /** By type name, with the provider's prefix. */
  resources: { readonly [type: string]: ResourceType<Client> };
  dataSources: { readonly [type: string]: DataSource<Client> };
}

/** A resource as Terraform keeps it: its state, and bytes that only the provider reads. */
export interface Stored {
  state: ValueMap;
  private?: Uint8Array;
}

interface Context<Client> {
  client: Client;
  signal: AbortSignal;
}

/** Plans come from the schema alone; see `planChange`. Only `config` holds the values of write-only attributes. */
export interface ResourceType<Client> {
  schema: Schema;
  validate?(config: ValueMap): Diagnostic[];
  create(change: { config: ValueMap; planned: ValueMap } & Context<Client>): Promise<Stored>;
  /** Null when the resource is gone. */
  read(known: { state: ValueMap; private: Uint8Array } & Context<Client>): Promise<Stored | null>;
  update(
    change: { config: ValueMap; prior: ValueMap; planned: ValueMap; private: Uint8Array } & Context<Client>,
  ): Promise<Stored>;
  /** Succeeds when the resource is gone already. */
  delete(change: { prior: ValueMap } & Context<Client>): Promise<void>;
  import(wanted: { id: string } & Context<Client>): Promise<Stored>;
}

export interface DataSource<Client> {
  schema: Schema;
  validate?(config: ValueMap): Diagnostic[];
  read(wanted: { config: ValueMap } & Context<Client>): Promise<ValueMap>;
}
