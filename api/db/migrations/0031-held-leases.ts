/** Until when a runner has the database's word that it holds its build, while Redis is away. */
export const statements = ['alter table build add column held_until timestamptz'];
