import { ProblemError } from './problem-error.ts';

export interface PageRequest {
  limit: number;
  /** Id of the last item of the page before. */
  after?: string;
}

/** Reads `limit` and `cursor` of a query. */
export function pageRequest(query: { limit?: number; cursor?: string }): PageRequest {
  const limit = query.limit ?? 50;
  if (query.cursor === undefined) return { limit };
  const after = Buffer.from(query.cursor, 'base64url').toString();
  if (!/^[a-z]+_[0-9a-z]{26}$/.test(after)) {
    throw new ProblemError(
      400,
      'invalid_cursor',
      'cursor is not one that this API gave. Start again without it.',
    );
  }
  return { limit, after };
}

/** Makes a page of rows that were asked for with one more than `limit`. */
export function pageOf<Row extends { id: string }, Item>(
  rows: readonly Row[],
  { limit }: PageRequest,
  toItem: (row: Row) => Item,
): { items: Item[]; next_cursor: string | null } {
  const shown = rows.slice(0, limit);
  const last = rows.length > limit ? shown.at(-1) : undefined;
  return { items: shown.map(toItem), next_cursor: last ? Buffer.from(last.id).toString('base64url') : null };
}
