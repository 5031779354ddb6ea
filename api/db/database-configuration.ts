import { Type } from 'typebox';
import type { DatabaseLocation } from './database.ts';

/** The variables that say where the database is; shared by all commands that open it. */
export const databaseVariables = {
  EBB_DATABASE_URL: Type.Optional(
    Type.String({
      pattern: '^postgres(ql)?://',
      description: 'A PostgreSQL server: postgresql://…; DATABASE_URL is read too.',
    }),
  ),
  EBB_DATABASE_CA: Type.Optional(
    Type.String({
      description:
        "Certificates to trust instead of the public authorities': PostgreSQL's authority or its own, PEM.",
    }),
  ),
  EBB_DATA_DIR: Type.String({
    default: '.ebb/data',
    description: 'Folder of PGlite, when EBB_DATABASE_URL is not set.',
  }),
};

/** Where the database is. */
export function databaseLocation(configuration: {
  EBB_DATABASE_URL?: string;
  EBB_DATABASE_CA?: string;
  EBB_DATA_DIR: string;
}): DatabaseLocation {
  const { EBB_DATABASE_URL: url, EBB_DATABASE_CA: ca, EBB_DATA_DIR: folder } = configuration;
  return url ? { url, ...(ca ? { ca } : {}) } : { folder };
}
