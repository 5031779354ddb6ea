import { type Static, type TObject, type TProperties, type TSchema, Type } from 'typebox';
import { isOptional } from './is-optional.ts';

/** What a resource of Ebb is, said once: API schemas, the Terraform schema and the reference come from it. */
export interface ResourceDeclaration<
  Computed extends TProperties,
  Fixed extends TProperties,
  Changeable extends TProperties,
  WriteOnly extends TProperties,
> {
  /** Singular, snake_case: `deploy_key` is `ebb_deploy_key` in Terraform. */
  name: string;
  /** REST collection, `/v1/deploy-keys`. */
  path: string;
  /** Markdown, one or two sentences. */
  description: string;
  /** Attributes that name the resource to people; joined by `/` they follow the team in an import id. */
  naturalId: readonly string[];
  /** Decided by the API, never part of a request. They do not change in an update, but for `renewedBy`. */
  computed: Computed;
  /** Declared at creation; another value means another resource. */
  fixed: Fixed;
  /** Declared, and may change in place. */
  changeable: Changeable;
  /** Computed attributes that become new when a changeable one changes, or a write-only one is sent again. */
  renewedBy?: Partial<
    Record<(keyof Changeable | keyof WriteOnly) & string, readonly (keyof Computed & string)[]>
  >;
  /** Pairs of declared members, write-only ones too, of which at most one may be given. */
  conflicts?: readonly (readonly [string, string])[];
  /** There is one at `path` itself, the token's own: Terraform finds and changes it, and never makes it. */
  isSingle?: true;
  /** Goes in, never comes out; `value` is `value_wo` with `value_wo_version` in Terraform. */
  writeOnly: WriteOnly;
}

/**
 * Completes a declaration with its three JSON Schemas:
 * `representation` (what GET answers), `creation` (POST body) and `change` (PATCH body, a JSON Merge Patch:
 * an absent member stays, null restores the default).
 *
 * @see https://www.rfc-editor.org/rfc/rfc7396
 */
export function defineResource<
  const Computed extends TProperties,
  const Fixed extends TProperties,
  const Changeable extends TProperties,
  const WriteOnly extends TProperties,
>(declaration: ResourceDeclaration<Computed, Fixed, Changeable, WriteOnly>) {
  const { computed, fixed, changeable, writeOnly } = declaration;
  return {
    ...declaration,
    representation: Type.Object({ ...computed, ...fixed, ...changeable }),
    creation: Type.Object({ ...fixed, ...changeable, ...writeOnly }, { additionalProperties: false }),
    change: Type.Object(nullable({ ...changeable, ...writeOnly }), { additionalProperties: false }),
  };
}

/** Any resource, for code that treats all of them alike. */
export type Resource = ResourceDeclaration<TProperties, TProperties, TProperties, TProperties> & {
  representation: TObject;
  creation: TObject;
  change: TObject;
};

/** The JSON that GET answers for a resource. */
export type Representation<R extends { representation: TSchema }> = Static<R['representation']>;

/** The JSON that POST takes for a resource, before defaults. */
export type Creation<R extends { creation: TSchema }> = Static<R['creation']>;

function nullable(properties: TProperties): TProperties {
  return Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => {
      const { default: _, ...rest } = schema as TSchema & { default?: unknown };
      const plain = isOptional(schema) ? Type.Union([rest as TSchema, Type.Null()]) : (rest as TSchema);
      return [name, Type.Optional(plain)];
    }),
  );
}
