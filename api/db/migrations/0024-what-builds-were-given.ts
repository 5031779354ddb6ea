/** Digest of the secrets and variables that an attempt was begun with: another runner goes on with it only while they are so. */
export const statements = ['alter table build add column given_digest text'];
