import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { Kysely, PGliteDialect } from 'kysely';
import { migrate, migrations } from './migrate.ts';
import type { Schema } from './schema.ts';

const cache = resolve('.ebb', 'cache');
let template: Promise<Blob> | undefined;

/**
 * What a new PGlite holds once Ebb's tables are in it. Making that takes three times as long as loading it, so it is kept
 * beside what else is built, until PGlite or a migration changes.
 */
export function pgliteTemplate(): Promise<Blob> {
  template ??= load();
  return template;
}

async function load(): Promise<Blob> {
  const file = join(cache, `pglite-${await digest()}.tar`);
  const kept = await readFile(file).catch(() => undefined);
  if (kept) return new Blob([kept]);
  const pglite = new PGlite();
  const database = new Kysely<Schema>({ dialect: new PGliteDialect({ pglite }) });
  await migrate(database);
  const made = await pglite.dumpDataDir('none');
  await database.destroy();
  await mkdir(cache, { recursive: true });
  const temporary = `${file}.${randomBytes(6).toString('hex')}`;
  await writeFile(temporary, Buffer.from(await made.arrayBuffer()));
  await rename(temporary, file);
  return made;
}

async function digest(): Promise<string> {
  const hash = createHash('sha256');
  hash.update(await readFile(resolve('node_modules/@electric-sql/pglite/package.json')));
  hash.update(JSON.stringify(migrations));
  return hash.digest('hex').slice(0, 16);
}
