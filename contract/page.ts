import { type TSchema, Type } from 'typebox';

/** One page of a collection, newest first; `next_cursor` is null on the last page. */
export function Page<T extends TSchema>(item: T) {
  return Type.Object({ items: Type.Array(item), next_cursor: Type.Union([Type.String(), Type.Null()]) });
}

/** Query of every collection. `natural_id` is an import id such as `acme/shop`. */
export const PageQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 })),
    cursor: Type.Optional(Type.String({ maxLength: 200 })),
    natural_id: Type.Optional(Type.String({ maxLength: 300 })),
    project_id: Type.Optional(Type.String({ maxLength: 100 })),
  },
  { additionalProperties: false },
);
