/**
 * What a deploy key is rotated for is a map, and a team may bring a key along. `rotation` stays for the release before,
 * which may still run.
 */
export const statements = [
  `alter table deploy_key
    add column rotate_when jsonb,
    add column made_by text not null default 'ebb'`,
  `update deploy_key set rotate_when = jsonb_build_object('rotation', rotation) where rotation is not null`,
];
