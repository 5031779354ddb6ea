import type { Client } from './client.ts';

/** Every item of a collection, page by page. `path` has no query. */
export async function* everyItem<T>(client: Client, path: string): AsyncGenerator<T> {
  let cursor: string | null = '';
  while (cursor !== null) {
    const from: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const page: { items: T[]; next_cursor: string | null } = await client.get(`${path}?limit=200${from}`);
    yield* page.items;
    cursor = page.next_cursor;
  }
}
